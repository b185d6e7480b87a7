package morning

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail"
)

// letter is one message on its way to one address.
type letter struct {
	id      string // the same for every try, so that receivers can tell copies
	title   string
	body    string
	night   string
	link    string
	address Address
}

// errUncertain marks a try of which nobody knows whether the message was taken: it isn't sent again.
var errUncertain = errors.New("it is not known whether the message was taken")

// send hands a letter over once. Errors never name the address.
func (c *Courier) send(ctx context.Context, l letter) error {
	ctx, cancel := context.WithTimeout(ctx, c.Patience)
	defer cancel()
	if l.address.mail != nil {
		return sendMail(ctx, l, c.Patience)
	}
	return sendHook(ctx, l)
}

func sendMail(ctx context.Context, l letter, patience time.Duration) error {
	box := l.address.mail
	message := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(message.From(box.from), message.To(box.to...)); err != nil {
		return fmt.Errorf("mail: addresses: %w", err)
	}
	message.Subject(l.title)
	message.SetMessageIDWithValue(l.id + "@reconciler.invalid")
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetDate()
	message.SetBodyString(mail.TypeTextPlain, l.body)
	options := []mail.Option{mail.WithPort(box.port), mail.WithTimeout(patience)}
	switch box.tls {
	case "implicit":
		options = append(options, mail.WithSSL())
	case "none":
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if box.username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(box.username), mail.WithPassword(box.password))
	}
	client, err := mail.NewClient(box.host, options...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	if err := client.DialWithContext(ctx); err != nil {
		return fmt.Errorf("mail: connect: %w", err)
	}
	err = client.Send(message)
	closed := client.Close()
	var refused *mail.SendError
	switch {
	case err == nil:
		return nil // the server has taken it; how the connection ends changes nothing
	case errors.As(err, &refused) && refused.Reason == mail.ErrSMTPDataClose && refused.ErrorCode() < 400,
		errors.As(err, &refused) && refused.Reason == mail.ErrSMTPReset:
		return fmt.Errorf("mail: %w: %w", errUncertain, err)
	default:
		return fmt.Errorf("mail: %w", errors.Join(err, closed))
	}
}

// hookClient follows no redirects: a webhook's URL is a secret, and is where the operator said.
var hookClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func sendHook(ctx context.Context, l letter) error {
	body, err := json.Marshal(hookBody(l))
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { written.Store(true) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.address.hook, bytes.NewReader(body))
	if err != nil {
		return errors.New("webhook: the address is no URL to send to")
	}
	request.GetBody = nil // a try is one try
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", l.id)
	response, err := hookClient.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the URL
		}
		if written.Load() {
			return fmt.Errorf("webhook: %w: %w", errUncertain, err)
		}
		return fmt.Errorf("webhook: %w", err)
	}
	defer response.Body.Close() // nothing more is read
	if response.StatusCode/100 == 2 {
		return nil
	}
	said, err := io.ReadAll(io.LimitReader(response.Body, 200))
	if err != nil {
		said = nil // the status says enough
	}
	return fmt.Errorf("webhook: answered %s: %q", response.Status, said)
}

// hookBody is what webhooks take: Slack and most others a text, Microsoft Teams a card. The other fields are for programs.
//
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
// https://learn.microsoft.com/en-us/power-automate/teams/send-a-message-in-teams
func hookBody(l letter) any {
	u, err := url.Parse(l.address.hook)
	if err == nil && teams(u.Hostname()) {
		return map[string]any{"type": "message", "attachments": []any{map[string]any{
			"contentType": "application/vnd.microsoft.card.adaptive",
			"content": map[string]any{
				"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.2",
				"body": cardLines(l),
			},
		}}}
	}
	return map[string]any{"text": slackText.Replace("*" + l.title + "*\n" + l.body), "id": l.id, "night": l.night, "link": l.link}
}

// cardLines are the title and the lines of a letter: a card takes a single line feed for none, so each line is a block of its own.
func cardLines(l letter) []any {
	blocks := []any{map[string]any{"type": "TextBlock", "text": l.title, "weight": "bolder", "wrap": true}}
	apart := true
	for line := range strings.Lines(l.body) {
		line = strings.TrimSpace(line)
		if line == "" {
			apart = true
			continue
		}
		block := map[string]any{"type": "TextBlock", "text": line, "wrap": true, "spacing": "none"}
		if apart {
			block["spacing"] = "medium"
		}
		blocks, apart = append(blocks, block), false
	}
	return blocks
}

// slackText escapes what Slack reads as markup, and is left alone by others.
var slackText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// teams says whether a webhook is one of Microsoft Teams, which takes nothing but cards.
func teams(host string) bool {
	for _, domain := range []string{".logic.azure.com", ".api.powerplatform.com", ".webhook.office.com"} {
		if strings.HasSuffix(strings.ToLower(host), domain) {
			return true
		}
	}
	return false
}

package stripetest

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is a way for a call to go wrong.
type Kind string

// Refusals: nothing was done.
const (
	RateLimit            Kind = "429 rate_limit"
	LockTimeout          Kind = "429 lock_timeout"
	RateLimitHTML        Kind = "429 html"
	RateLimitEmpty       Kind = "429 empty"
	Unauthorized         Kind = "401"
	Forbidden            Kind = "403"
	ConflictBefore       Kind = "409 before acting"
	ServerErrorBefore    Kind = "500 before acting"
	BadGatewayBefore     Kind = "502 before acting"
	UnavailableBefore    Kind = "503 before acting"
	GatewayTimeoutBefore Kind = "504 before acting"
	ResetBefore          Kind = "reset before acting"
	TimeoutBefore        Kind = "timeout before acting"
	// CloseWarmBefore closes a connection that served a request before, as a server does with idle ones: net/http
	// then sends the request again on its own if it thinks that it may.
	CloseWarmBefore Kind = "warm connection closed before acting"
	// StoredServerError does nothing, and keeps the 500 for the idempotency key: every retry gets it.
	StoredServerError Kind = "500 before acting, kept for the key"
)

// Delays.
const (
	// TimeoutThenAct hangs until the client has given up, and acts afterwards.
	TimeoutThenAct Kind = "timeout, acting afterwards"
	// ActSlowly takes Fault.Delay of real time while the idempotency key is in use, then answers.
	ActSlowly Kind = "slow"
)

// Losses: the request was acted upon, the answer does not arrive or says otherwise.
const (
	ConflictAfter Kind = "409 after acting"
	// ServerErrorAfter keeps the 500 for the idempotency key, as Stripe does.
	ServerErrorAfter    Kind = "500 after acting"
	BadGatewayAfter     Kind = "502 after acting"
	UnavailableAfter    Kind = "503 after acting"
	GatewayTimeoutAfter Kind = "504 after acting"
	ResetAfter          Kind = "reset after acting"
	TimeoutAfter        Kind = "timeout after acting"
	CloseWarmAfter      Kind = "warm connection closed after acting"
	TruncatedBody       Kind = "truncated body"
	StalledBody         Kind = "stalled body"
)

// Garbage: a 200 that is not what was asked for.
const (
	HTMLBody          Kind = "200 html"
	EmptyBody         Kind = "200 empty"
	EmptyObject       Kind = "200 {}"
	NullBody          Kind = "200 null"
	MalformedJSON     Kind = "200 malformed json"
	DoubledBody       Kind = "200 body twice"
	DuplicateResponse Kind = "response twice on the wire"
	NoDate            Kind = "no Date header"
	EmptyPage         Kind = "has_more with an empty page"
	RepeatedPage      Kind = "repeated page"
	RestartedList     Kind = "list starting over"
	ReversedPage      Kind = "page oldest first"
	StuckCursor       Kind = "cursor that does not move"
	DuplicateRow      Kind = "row twice in a page"
	NullRow           Kind = "null row"
	RowWithoutID      Kind = "row without id"
	ForeignRow        Kind = "row of another kind"
	MissingListObject Kind = "list without object"
	MissingData       Kind = "list without data"
	MissingHasMore    Kind = "list without has_more"
	WrongLivemode     Kind = "wrong livemode"
	UnknownCategory   Kind = "unknown reporting_category"
	UnknownStatus     Kind = "unknown status"
)

// Kinds are all kinds of faults, for sweeps.
func Kinds() []Kind {
	return []Kind{
		RateLimit, LockTimeout, RateLimitHTML, RateLimitEmpty, Unauthorized, Forbidden, ConflictBefore, ServerErrorBefore, BadGatewayBefore,
		UnavailableBefore, GatewayTimeoutBefore, ResetBefore, TimeoutBefore, CloseWarmBefore, StoredServerError, TimeoutThenAct, ActSlowly,
		ConflictAfter, ServerErrorAfter, BadGatewayAfter, UnavailableAfter, GatewayTimeoutAfter, ResetAfter, TimeoutAfter, CloseWarmAfter,
		TruncatedBody, StalledBody, HTMLBody, EmptyBody, EmptyObject, NullBody, MalformedJSON, DoubledBody, DuplicateResponse, NoDate,
		EmptyPage, RepeatedPage, RestartedList, ReversedPage, StuckCursor, DuplicateRow, NullRow, RowWithoutID, ForeignRow,
		MissingListObject, MissingData, MissingHasMore, WrongLivemode,
		UnknownCategory, UnknownStatus,
	}
}

// ActsAnyway tells the kinds after which the request was carried out although the client saw an error or garbage.
func (k Kind) ActsAnyway() bool {
	switch k {
	case RateLimit, LockTimeout, RateLimitHTML, RateLimitEmpty, Unauthorized, Forbidden, ConflictBefore, ServerErrorBefore, BadGatewayBefore,
		UnavailableBefore, GatewayTimeoutBefore, ResetBefore, TimeoutBefore, CloseWarmBefore, StoredServerError:
		return false
	}
	return true
}

// Hangs tells the kinds that last until the client gives up.
func (k Kind) Hangs() bool {
	switch k {
	case TimeoutBefore, TimeoutAfter, TimeoutThenAct, StalledBody:
		return true
	}
	return false
}

// Match says which calls a fault hits.
type Match struct {
	Method string // "" for any
	Path   string // exact, or a prefix when it ends in *; "" for any
	Call   int    // the first call hit, 1 being the first one that matches since SetFaults; 0 for 1
	Times  int    // how many matching calls in a row are hit; 0 for 1, negative for all that follow
}

// Fault breaks the calls that match. Kinds that make no sense for a call (a repeated page where there was none
// before, a closed warm connection on a cold one) leave it alone.
type Fault struct {
	Match Match
	Kind  Kind
	Delay time.Duration // for ActSlowly: real time
}

type plannedFault struct {
	Fault
	seen int
}

// SetFaults replaces the fault plan and starts counting calls anew. Without arguments everything works.
func (s *Stripe) SetFaults(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.pages = nil, map[string]*servedPages{}
	for _, fault := range faults {
		if !slices.Contains(Kinds(), fault.Kind) {
			panic("stripetest: unknown fault kind " + string(fault.Kind))
		}
		setDefault(&fault.Match.Call, 1)
		setDefault(&fault.Match.Times, 1)
		s.faults = append(s.faults, &plannedFault{Fault: fault})
	}
}

func (m Match) matches(c *call) bool {
	prefix, isPrefix := strings.CutSuffix(m.Path, "*")
	return (m.Method == "" || m.Method == c.method) &&
		(m.Path == "" || m.Path == c.path || isPrefix && strings.HasPrefix(c.path, prefix))
}

// planned counts the call in all faults and picks the first that is due.
func (s *Stripe) planned(c *call) *Fault {
	var due *Fault
	for _, fault := range s.faults {
		if !fault.Match.matches(c) {
			continue
		}
		fault.seen++
		hit := fault.seen >= fault.Match.Call && (fault.Match.Times < 0 || fault.seen < fault.Match.Call+fault.Match.Times)
		if hit && due == nil && s.applies(fault.Kind, c) {
			due = &fault.Fault
		}
	}
	return due
}

func (s *Stripe) applies(kind Kind, c *call) bool {
	switch kind {
	case CloseWarmBefore, CloseWarmAfter:
		return c.warm
	case StoredServerError:
		return c.method == http.MethodPost && c.idempotencyKey != ""
	case EmptyPage, ReversedPage, DuplicateRow, NullRow, RowWithoutID, ForeignRow, MissingListObject, MissingData, MissingHasMore:
		return c.list
	case RepeatedPage, RestartedList, StuckCursor:
		return c.list && c.cursor != "" && s.pages[c.listing] != nil
	}
	return true
}

const (
	outage = "An error occurred with our connection to the database. Please try again."
	html   = "<!DOCTYPE html>\n<html><head><title>upstream</title></head><body><h1>The gateway is having a bad day.</h1></body></html>\n"
)

func htmlResponse(status int) response {
	return response{status: status, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, body: []byte(html)}
}

// breakBefore carries a fault out that comes before acting. It is false when the call goes on.
func (s *Stripe) breakBefore(l *wire, fault *Fault) bool {
	refuse := func(answer response) bool {
		s.finish(l.call, answer, true)
		l.send(answer)
		return true
	}
	asError := func(problem *apiError) bool {
		return refuse(errorResponse(problem, l.call.requestID, s.options.Livemode, l.call.now))
	}
	switch fault.Kind {
	case RateLimit:
		return asError(&apiError{status: http.StatusTooManyRequests, kind: "invalid_request_error", code: "rate_limit",
			message: "Testmode request rate limit exceeded, the rate limits in testmode are lower than livemode. You can learn more about rate limits here https://stripe.com/docs/rate-limits."})
	case LockTimeout:
		return asError(&apiError{status: http.StatusTooManyRequests, kind: "invalid_request_error", code: "lock_timeout",
			message: "This object cannot be accessed right now because another API request or Stripe process is currently accessing it. If you see this error intermittently, retry the request."})
	case RateLimitHTML:
		return refuse(htmlResponse(http.StatusTooManyRequests))
	case RateLimitEmpty:
		return refuse(response{status: http.StatusTooManyRequests, header: http.Header{"Content-Type": nil}})
	case Unauthorized:
		return asError(&apiError{status: http.StatusUnauthorized, kind: "invalid_request_error", code: "api_key_expired", message: "Expired API Key provided: rk_test_***"})
	case Forbidden:
		return asError(&apiError{status: http.StatusForbidden, kind: "invalid_request_error",
			message: "The provided key 'rk_test_***' does not have the required permissions for this endpoint on account '" + s.books.account + "'. Having the 'rak_charge_read' permission would allow this request to continue."})
	case ConflictBefore:
		return asError(&apiError{status: http.StatusConflict, kind: "invalid_request_error", message: "The request conflicts with another request."})
	case ServerErrorBefore:
		return asError(serverError(http.StatusInternalServerError, outage))
	case BadGatewayBefore:
		return refuse(htmlResponse(http.StatusBadGateway))
	case UnavailableBefore:
		return asError(serverError(http.StatusServiceUnavailable, "Stripe is temporarily unavailable."))
	case GatewayTimeoutBefore:
		return refuse(htmlResponse(http.StatusGatewayTimeout))
	case ResetBefore:
		s.finish(l.call, response{}, true)
		l.reset()
		return true
	case TimeoutBefore:
		s.finish(l.call, response{}, true)
		l.hang()
		panic(http.ErrAbortHandler)
	case CloseWarmBefore:
		s.finish(l.call, response{}, true)
		l.drop()
		return true
	case TimeoutThenAct:
		l.hang()
	case ActSlowly:
		if l.call.idempotencyKey == "" {
			l.wait(fault.Delay)
		}
	}
	return false
}

// breakAfter carries a fault out that comes after acting.
func (s *Stripe) breakAfter(l *wire, fault *Fault, answer response) {
	broken, isSent := answer, false
	asError := func(problem *apiError) {
		broken = errorResponse(problem, l.call.requestID, s.options.Livemode, l.call.now)
	}
	switch fault.Kind {
	case ConflictAfter:
		asError(&apiError{status: http.StatusConflict, kind: "invalid_request_error", message: "The request conflicts with another request."})
	case ServerErrorAfter:
		asError(serverError(http.StatusInternalServerError, outage))
	case BadGatewayAfter:
		broken = htmlResponse(http.StatusBadGateway)
	case UnavailableAfter:
		asError(serverError(http.StatusServiceUnavailable, "Stripe is temporarily unavailable."))
	case GatewayTimeoutAfter:
		broken = htmlResponse(http.StatusGatewayTimeout)
	case ResetAfter, TimeoutAfter, CloseWarmAfter, TruncatedBody, StalledBody, DuplicateResponse, TimeoutThenAct, ActSlowly:
		isSent = true
	case NoDate:
		broken.header = http.Header{"Date": nil}
	default:
		broken = s.garble(l.call, fault.Kind, answer)
	}
	hit := isSent || broken.status != answer.status || fault.Kind == NoDate || !bytes.Equal(broken.body, answer.body)
	if fault.Kind == ServerErrorAfter {
		hit = true // the idempotency layer may have put the 500 there already
	}
	s.finish(l.call, answer, hit)
	switch fault.Kind {
	case ResetAfter:
		l.reset()
	case TimeoutAfter:
		l.hang()
		panic(http.ErrAbortHandler)
	case CloseWarmAfter:
		l.drop()
	case TruncatedBody:
		l.sendHalf(answer)
		panic(http.ErrAbortHandler)
	case StalledBody:
		l.sendHalf(answer)
		l.hang()
		panic(http.ErrAbortHandler)
	case DuplicateResponse:
		l.sendTwice(answer)
	case TimeoutThenAct:
		panic(http.ErrAbortHandler)
	default:
		l.send(broken)
	}
}

// garble turns a good answer into garbage.
func (s *Stripe) garble(c *call, kind Kind, answer response) response {
	if answer.status != http.StatusOK {
		return answer
	}
	switch kind {
	case HTMLBody:
		return htmlResponse(http.StatusOK)
	case EmptyBody:
		answer.body = nil
	case EmptyObject:
		answer.body = []byte("{}")
	case NullBody:
		answer.body = []byte("null")
	case MalformedJSON:
		answer.body = slices.Clone(answer.body[:len(answer.body)-1])
	case DoubledBody:
		answer.body = bytes.Repeat(answer.body, 2)
	case WrongLivemode:
		answer.body = replaceFirst(answer.body, `"livemode":`+strconv.FormatBool(s.options.Livemode), `"livemode":`+strconv.FormatBool(!s.options.Livemode))
	case UnknownCategory:
		answer.body = replaceMember(answer.body, "reporting_category", "carbon_offset")
	case UnknownStatus:
		answer.body = replaceMember(answer.body, "status", "in_limbo")
	default:
		answer.body = s.garbleList(c, kind, answer.body)
	}
	return answer
}

func replaceFirst(body []byte, old, replacement string) []byte {
	return bytes.Replace(body, []byte(old), []byte(replacement), 1)
}

// replaceMember replaces the first string member of that name.
func replaceMember(body []byte, name, value string) []byte {
	member := regexp.MustCompile(`"` + name + `":"[^"]*"`).FindIndex(body)
	if member == nil {
		return body
	}
	return slices.Concat(body[:member[0]], []byte(`"`+name+`":"`+value+`"`), body[member[1]:])
}

// listDocument is a list as it was answered, with members that can be left out.
type listDocument struct {
	Object  string             `json:"object,omitempty"`
	Data    *[]json.RawMessage `json:"data,omitempty"`
	HasMore *bool              `json:"has_more,omitempty"`
	URL     string             `json:"url"`
}

// servedPages are the first and the latest page of a list that were answered since SetFaults.
type servedPages struct{ first, latest []byte }

func (s *Stripe) garbleList(c *call, kind Kind, body []byte) []byte {
	served := s.served(c.listing)
	switch kind {
	case RepeatedPage:
		return served.latest
	case RestartedList:
		return served.first
	}
	var list listDocument
	if err := json.Unmarshal(body, &list); err != nil || list.Object != "list" || list.Data == nil {
		return body
	}
	rows := *list.Data
	yes := true
	switch kind {
	case EmptyPage:
		rows, list.HasMore = []json.RawMessage{}, &yes
	case ReversedPage:
		slices.Reverse(rows)
	case NullRow:
		rows = append(rows, json.RawMessage("null"))
	case RowWithoutID:
		rows = append(rows, json.RawMessage("{}"))
	case ForeignRow:
		rows = append(rows, json.RawMessage(`{"id":"cup_1MKm7r2eZvKYlo2C","object":"coupon","created":`+strconv.FormatInt(c.now.Unix(), 10)+`}`))
	case DuplicateRow:
		rows = append(rows, rows[:min(1, len(rows))]...)
	case MissingListObject:
		list.Object = ""
	case MissingHasMore:
		list.HasMore = nil
	case StuckCursor:
		var before listDocument
		if err := json.Unmarshal(served.latest, &before); err == nil && before.Data != nil && len(*before.Data) > 0 {
			rows, list.HasMore = (*before.Data)[len(*before.Data)-1:], &yes
		}
	}
	list.Data = &rows
	if kind == MissingData {
		list.Data = nil
	}
	garbled, _ := json.Marshal(list) // made of valid JSON
	return garbled
}

func (s *Stripe) served(listing string) servedPages {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pages := s.pages[listing]; pages != nil {
		return *pages
	}
	return servedPages{}
}

// hang waits until the client has given up or the double is closed.
func (l *wire) hang() {
	select {
	case <-l.r.Context().Done():
	case <-l.closing:
	}
}

func (l *wire) wait(delay time.Duration) {
	select {
	case <-time.After(delay):
	case <-l.r.Context().Done():
	case <-l.closing:
	}
}

// reset ends the connection with a TCP reset.
func (l *wire) reset() {
	conn := l.hijack()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // turns the close into a reset
	}
	_ = conn.Close()
}

// drop ends the connection in good order, without an answer.
func (l *wire) drop() { _ = l.hijack().Close() }

// hijack takes the connection over; where there is none, the handler is aborted.
func (l *wire) hijack() net.Conn {
	conn, _, err := http.NewResponseController(l.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return conn
}

// sendHalf announces the whole body and sends half of it.
func (l *wire) sendHalf(answer response) {
	header := l.headers(answer)
	half := answer
	half.body = answer.body[:len(answer.body)/2]
	half.header = header
	l.send(half)
	_ = http.NewResponseController(l.w).Flush() // a client that went away is no business of the double
}

// sendTwice writes the whole response twice, as no server should.
func (l *wire) sendTwice(answer response) {
	var once bytes.Buffer
	once.WriteString("HTTP/1.1 " + strconv.Itoa(answer.status) + " " + http.StatusText(answer.status) + "\r\n")
	_ = l.headers(answer).Write(&once) // a buffer takes everything
	once.WriteString("\r\n")
	once.Write(answer.body)
	conn := l.hijack()
	_, _ = conn.Write(bytes.Repeat(once.Bytes(), 2))
	_ = conn.Close()
}

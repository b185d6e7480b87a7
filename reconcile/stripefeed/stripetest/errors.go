package stripetest

import (
	"net/http"
	"strconv"
	"time"
)

// apiError is an error as Stripe answers it.
type apiError struct {
	status  int
	kind    string // type
	code    string
	message string
	param   string
}

func (e *apiError) Error() string { return e.message }

func (e *apiError) document(requestID string, livemode bool, now time.Time) []byte {
	w := &writer{}
	w.open()
	w.name("error")
	w.open()
	optional := func(name, value string) {
		if value != "" {
			w.text(name, value)
		}
	}
	optional("code", e.code)
	if e.code != "" {
		w.text("doc_url", "https://stripe.com/docs/error-codes/"+dashed(e.code))
	}
	optional("message", e.message)
	optional("param", e.param)
	mode := "test/"
	if livemode {
		mode = ""
	}
	w.text("request_log_url", "https://dashboard.stripe.com/"+mode+"logs/"+requestID+"?t="+strconv.FormatInt(now.Unix(), 10))
	w.text("type", e.kind)
	w.close()
	w.close()
	return w.buf
}

func dashed(code string) string {
	name := []byte(code)
	for i, c := range name {
		if c == '_' {
			name[i] = '-'
		}
	}
	return string(name)
}

func invalidRequest(code, message, param string) *apiError {
	return &apiError{status: http.StatusBadRequest, kind: "invalid_request_error", code: code, message: message, param: param}
}

func noSuch(noun, id, param string) *apiError {
	return &apiError{
		status: http.StatusNotFound, kind: "invalid_request_error", code: "resource_missing",
		message: "No such " + noun + ": '" + id + "'", param: param,
	}
}

func serverError(status int, message string) *apiError {
	return &apiError{status: status, kind: "api_error", message: message}
}

package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/flotilla-dev/flotilla/internal/retry"
)

// What an API server says that callers have to tell apart.
var (
	ErrNotFound     = errors.New("there is no such object")
	ErrConflict     = errors.New("there is a newer version of the object, or one of this name already")
	ErrUnauthorized = errors.New("the API server does not know the token")
	ErrExpired      = errors.New("the version is too old to watch from")
	ErrThrottled    = errors.New("the API server has too much to do")
)

// ErrTooLarge is the error of an answer that is larger than any object that is asked for here.
var ErrTooLarge = errors.New("answer is too large")

// A StatusError is an answer that is no success.
type StatusError struct {
	Code       int
	Message    string        // of the Status; the start of it
	RetryAfter time.Duration // what the server asked for; 0: nothing
}

// Error tells the code and what the server says.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%d %s: %s", e.Code, http.StatusText(e.Code), e.Message)
}

// Is tells whether the answer is one of those above.
func (e *StatusError) Is(target error) bool {
	switch e.Code {
	case http.StatusNotFound:
		return target == ErrNotFound
	case http.StatusConflict:
		return target == ErrConflict
	case http.StatusUnauthorized:
		return target == ErrUnauthorized
	case http.StatusGone:
		return target == ErrExpired
	case http.StatusTooManyRequests:
		return target == ErrThrottled
	}
	return false
}

// maxStatus bounds what is read of a Status, maxMessage what is kept of its message.
const (
	maxStatus  = 16 << 10
	maxMessage = 512
)

// statusError reads the answer, and closes it.
func statusError(resp *http.Response) *StatusError {
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxStatus)) // what there is of it
	e := parseStatus(text)
	e.Code = resp.StatusCode // the line of the answer is the one that counts
	e.RetryAfter, _ = retry.ParseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
	return e
}

// parseStatus reads a Status: the body of an answer, or the object of an event.
func parseStatus(text []byte) *StatusError {
	var s struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
	}
	if json.Unmarshal(text, &s) != nil || s.Message == "" && s.Code == 0 {
		return &StatusError{Message: "it sends no Status"}
	}
	return &StatusError{Code: s.Code, Message: s.Message[:min(len(s.Message), maxMessage)]}
}

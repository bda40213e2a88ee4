package contexts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"unicode"
	"unicode/utf8"
)

// A Service is asked for the contexts of sessions.
type Service struct {
	Client *http.Client
	Base   string // what stands before the session in a URL
}

// Ask asks for the context of one session. It is the Ask of Options.
func (s *Service) Ask(ctx context.Context, session string) (string, error) {
	if session == "." || session == ".." { // a path would end elsewhere
		return "", nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Base+url.PathEscape(session), nil)
	if err != nil {
		return "", fmt.Errorf("ask for a context: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	answer, err := s.Client.Do(request)
	if err != nil {
		return "", fmt.Errorf("ask for a context: %w", err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return "", nil
	default:
		return "", fmt.Errorf("ask for a context: status %d", answer.StatusCode)
	}
	body, err := io.ReadAll(answer.Body) // bounded by the client
	if err != nil {
		return "", fmt.Errorf("read a context: %w", err)
	}
	return parse(body)
}

var errValue = fmt.Errorf(`read a context: want {"context": "…"} with 1 to %d bytes without control characters`, MaxValue)

// parse reads an answer. What else stands in it is not looked at.
func parse(body []byte) (string, error) {
	var answer struct {
		Context string `json:"context"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", errors.Join(errValue, err)
	}
	if n := len(answer.Context); n < 1 || n > MaxValue || !utf8.ValidString(answer.Context) {
		return "", errValue
	}
	for _, c := range answer.Context {
		if unicode.IsControl(c) || c == utf8.RuneError {
			return "", errValue
		}
	}
	return answer.Context, nil
}

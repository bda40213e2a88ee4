package faults

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// Wrap returns a handler that injects the faults of s into the requests to
// next. The wrap of a nil *Set is next itself.
func (s *Set) Wrap(next http.Handler) http.Handler {
	if s == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := s.Decide(r.Method, r.URL.Path, nil)
		if d.None() {
			next.ServeHTTP(w, r)
			return
		}
		if err := d.Apply(r.Context()); err != nil {
			panic(http.ErrAbortHandler) // net/http's way to close without an answer
		}
		if d.Status != 0 {
			problem.New(d.Status, "fault-injected", "this fault is injected on purpose").Write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Handler serves the rules: GET lists them, PUT sets the whole list, DELETE
// clears it. It does not ask who is calling: offer it to operators only.
func (s *Set) Handler(log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			s.list(w)
		case http.MethodPut:
			s.put(w, r, log)
		case http.MethodDelete:
			_ = s.Replace(nil) // no rule, nothing wrong
			log.Warn("fault rules changed", "rules", 0)
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Allow", "GET, HEAD, PUT, DELETE")
			problem.New(http.StatusMethodNotAllowed, "method-not-allowed", "use GET, PUT or DELETE").Write(w)
		}
	})
}

func (s *Set) list(w http.ResponseWriter) {
	list := s.Rules()
	if list == nil {
		list = []Rule{}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(list) // the operator is gone when this fails
}

func (s *Set) put(w http.ResponseWriter, r *http.Request, log *slog.Logger) {
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		problem.New(http.StatusRequestEntityTooLarge, "body-too-large", "a list of rules is at most 64 KiB").Write(w)
		return
	case err != nil:
		panic(http.ErrAbortHandler) // the body broke off: there is nobody to answer
	}
	list, err := Parse(content)
	if err == nil {
		err = s.Replace(list)
	}
	var wrong Errors
	if errors.As(err, &wrong) {
		problem.New(http.StatusBadRequest, "fault-rules-invalid", "the rules were not changed").With("errors", wrong).Write(w)
		return
	}
	log.Warn("fault rules changed", "rules", len(list))
	s.list(w)
}

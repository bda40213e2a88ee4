package fanout

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/problem"
)

// Path is where Handler is mounted, itself and with a slash behind it.
const Path = "/v1/invalidations"

// maxBody is what a command with its bounds can take.
const maxBody = 128 << 10

// Handler serves
//
//	POST /v1/invalidations       {"url": …} or {"ban": …} or {"keys": […]}, and "host"
//	GET  /v1/invalidations       where this replica stands
//	GET  /v1/invalidations/{id}  whether this replica has applied a command
//
// POST answers 200 when the command is recorded and applied here, 202 when it is recorded only. It asks for no
// credentials: mount it where operators alone get.
func (f *Fanout) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Path, f.post)
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, f.Status()) })
	mux.HandleFunc("GET "+Path+"/{id}", f.get)
	return mux
}

// receipt is the answer to a command.
type receipt struct {
	ID      string `json:"id"`
	Applied bool   `json:"applied"`
	Removed *int   `json:"removed,omitempty"` // here; not known of bans
}

func (f *Fanout) post(w http.ResponseWriter, r *http.Request) {
	c, wrong := readCommand(w, r)
	if wrong != nil {
		wrong.Write(w)
		return
	}
	got, err := f.Publish(r.Context(), c)
	var mistake *Mistake
	var failure *Error
	switch {
	case errors.As(err, &mistake):
		problem.New(http.StatusUnprocessableEntity, "invalidation-invalid", strings.ReplaceAll(mistake.Error(), "\n", "; ")).Write(w)
		return
	case errors.As(err, &failure):
		f.log.Error("invalidation not recorded", "unknown", failure.Unknown, "error", failure.Err)
		failure.problem().Write(w)
		return
	}
	f.log.Info("invalidation recorded", "id", got.ID, "kind", c.kind(), "applied", got.Applied)
	out := receipt{ID: got.ID, Applied: got.Applied}
	if got.Applied && c.Ban == "" {
		out.Removed = &got.Removed
	}
	w.Header().Set("Location", Path+"/"+got.ID)
	if got.Applied {
		answer(w, http.StatusOK, out)
	} else {
		answer(w, http.StatusAccepted, out)
	}
}

// problem is what may be shown of the error.
func (e *Error) problem() *problem.Problem {
	if e.Unknown {
		return problem.New(http.StatusServiceUnavailable, "invalidation-outcome-unknown",
			"the store of invalidations did not answer: the command may have been recorded, or not; repeat it, that does no harm").Retry(time.Second)
	}
	return problem.New(http.StatusServiceUnavailable, "invalidation-not-recorded",
		"the store of invalidations is away: the command was not recorded and not applied; repeat it").Retry(time.Second)
}

func readCommand(w http.ResponseWriter, r *http.Request) (Command, *problem.Problem) {
	if kind := r.Header.Get("Content-Type"); kind != "" {
		if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/json" {
			return Command{}, problem.New(http.StatusUnsupportedMediaType, "media-type-unsupported", "send the body as application/json")
		}
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	var c Command
	err := dec.Decode(&c)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return Command{}, problem.New(http.StatusRequestEntityTooLarge, "body-too-large", "the command is larger than its bounds allow")
	}
	if err != nil {
		return Command{}, problem.New(http.StatusBadRequest, "bad-request", `want one JSON object with "url", "ban" or "keys"`)
	}
	return c, nil
}

func (f *Fanout) get(w http.ResponseWriter, r *http.Request) {
	epoch, number, ok := strings.Cut(r.PathValue("id"), "-")
	seq, err := strconv.ParseInt(number, 10, 64)
	at := f.Status()
	if !ok || err != nil || seq < 1 || epoch != at.Epoch {
		problem.New(http.StatusNotFound, "no-such-invalidation",
			"no such command since the stream of invalidations began; every replica flushed when it did").Write(w)
		return
	}
	answer(w, http.StatusOK, receipt{ID: r.PathValue("id"), Applied: seq <= at.Applied})
}

// id names a record.
func id(at position) string { return at.epoch + "-" + strconv.FormatInt(at.seq, 10) }

func answer(w http.ResponseWriter, status int, value any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the operator is gone when this fails
}

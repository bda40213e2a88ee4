package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// An Event of a watch.
type Event struct {
	Type   string          `json:"type"` // ADDED, MODIFIED, DELETED or BOOKMARK
	Object json.RawMessage `json:"object"`
}

// The bounds of a watch: who wants to know more begins again.
const (
	watchTime  = 30 * time.Second
	watchBytes = 16 << 20
)

// Watch tells of each change of an object of a collection after a version ("" means from now on, beginning with what there
// is), until told returns false. It ends without an error when the server ends it, which it does after 30 s at the latest;
// an event that says that something is wrong – such as that the version is too old: ErrExpired – is an error.
func (c *Client) Watch(ctx context.Context, path, name, version string, told func(Event) bool) error {
	// A server that is gone without a word ends nothing.
	ctx, cancel := context.WithTimeout(ctx, watchTime+c.timeout)
	defer cancel()
	query := url.Values{"watch": {"true"}, "fieldSelector": {"metadata.name=" + name}, "timeoutSeconds": {strconv.Itoa(int(watchTime / time.Second))}}
	if version != "" {
		query.Set("resourceVersion", version)
	}
	resp, err := c.do(ctx, http.MethodGet, path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	bounded := &io.LimitedReader{R: resp.Body, N: watchBytes}
	events := json.NewDecoder(bounded)
	for {
		var e Event
		switch err := events.Decode(&e); {
		case err != nil && bounded.N <= 0:
			return fmt.Errorf("watch %s: %w: more than %d bytes", path, ErrTooLarge, watchBytes)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("watch %s: %w", path, err)
		case e.Type == "ERROR":
			return fmt.Errorf("watch %s: %w", path, parseStatus(e.Object))
		}
		if !told(e) {
			return nil
		}
	}
}

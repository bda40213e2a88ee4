package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"

	"github.com/flotilla-dev/flotilla/infra/local/internal/state"
)

// ErrDown says that no runner listens.
var ErrDown = errors.New("nothing is running")

// Client talks to the runner of a directory.
type Client struct{ http *http.Client }

// NewClient makes a client. Nothing is asked yet.
func NewClient(dir string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", Socket(dir))
	}
	return &Client{&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Fleet asks for the fleet of the moment.
func (c *Client) Fleet(ctx context.Context) (state.Fleet, error) {
	var f state.Fleet
	resp, err := c.do(ctx, http.MethodGet, "fleet", nil)
	if err != nil {
		return f, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&f); err != nil {
		return f, fmt.Errorf("read answer of the runner: %w", err)
	}
	return f, nil
}

// Do gives a command and reports what happens, until it is done.
func (c *Client) Do(ctx context.Context, command string, r Request, say func(string)) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	resp, err := c.do(ctx, http.MethodPost, command, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	messages := json.NewDecoder(resp.Body)
	for {
		var m Message
		if err := messages.Decode(&m); err != nil {
			return fmt.Errorf("the runner ended before it was done: %w", err)
		}
		switch {
		case m.Error != "":
			return errors.New(m.Error)
		case m.Done:
			return nil
		}
		say(m.Say)
	}
}

func (c *Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://runner/v1/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	// A connection to a runner that was killed may be taken by the kernel, and reset.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) {
		return nil, ErrDown
	}
	if err != nil {
		return nil, fmt.Errorf("ask the runner: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return nil, errors.Join(fmt.Errorf("the runner answers %s: %s", resp.Status, text), err)
	}
	return resp, nil
}

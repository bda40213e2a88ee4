package supervise

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// A Probe returns nil when the process is ready, else why it is not.
type Probe func(ctx context.Context) error

const probeTimeout = time.Second

// HTTP asks /readyz on an administration address. Every probe opens its own
// connection: one that was kept would say nothing about a new process.
func HTTP(addr string) Probe {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return errors.New("it does not answer")
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		if err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Errorf("not ready: %s", strings.TrimSpace(string(body)))
		}
		return nil
	}
}

// Ping sends a line and wants an answer that the expression pong matches.
func Ping(addr, line, pong string) Probe {
	return func(ctx context.Context) error {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return errors.New("it does not answer")
		}
		defer conn.Close()
		if deadline, ok := ctx.Deadline(); ok {
			_ = conn.SetDeadline(deadline)
		}
		if _, err := conn.Write([]byte(line)); err != nil {
			return err
		}
		answer, err := bufio.NewReader(conn).ReadString('\n')
		if good, wrong := regexp.MatchString(pong, answer); err != nil || wrong != nil || !good {
			return fmt.Errorf("not ready: it answers %q", answer)
		}
		return nil
	}
}

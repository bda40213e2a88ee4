package process

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// healthcheck asks the process that runs beside it with the same environment
// whether it is ready. It is the HEALTHCHECK of images that have no shell.
func healthcheck(p Program, env map[string]string) error {
	addr := env["ADMIN_ADDR"]
	if addr == "" {
		addr = p.Spec().Defaults["ADMIN_ADDR"]
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("ADMIN_ADDR: %w", err)
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", resp.Status)
	}
	return nil
}

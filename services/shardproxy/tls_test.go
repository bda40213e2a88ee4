package shardproxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/flotilla-dev/flotilla/internal/certs/certstest"
)

func TestBothSidesSpeakTLS(t *testing.T) {
	t.Parallel()
	authority := certstest.New(t)
	served := authority.Issue("proxy", "proxy.internal")
	origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.TLS.ServerName+" "+r.Header.Get("X-Forwarded-Proto"))
	}))
	origin.TLS = authority.Server("shard.internal")
	origin.StartTLS()
	defer origin.Close()
	env := map[string]string{"TLS_CERT_FILE": served.CertFile, "TLS_KEY_FILE": served.KeyFile, "SHARDPROXY_SHARD_TLS": "on",
		"SHARDPROXY_SHARD_CA_FILE": authority.File, "SHARDPROXY_SHARD_SERVER_NAME": "shard.internal"}
	w := start(t, entry("a", origin.Listener.Addr().String()), env)
	transport := &http.Transport{TLSClientConfig: authority.Client("proxy.internal")}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get("https://" + w.Data + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if string(body) != "shard.internal https" {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if answer := w.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n"); len(answer) > 0 && answer[:4] == "HTTP" {
		t.Errorf("plain text was answered: %q", answer)
	}
	// A shard whose certificate is for another name is none.
	env["SHARDPROXY_SHARD_SERVER_NAME"] = "other.internal"
	w = start(t, entry("a", origin.Listener.Addr().String()), env)
	resp, err = (&http.Client{Transport: transport}).Get("https://" + w.Data + "/")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 502 {
		t.Errorf("%d", resp.StatusCode)
	}
}

package redisshard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/flotilla-dev/flotilla/internal/await"
)

// certificate makes a self-signed one for a name, and returns its files.
func certificate(t *testing.T, name string) (cert tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key := must2(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der := must2(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(t)
	private := must2(x509.MarshalPKCS8PrivateKey(key))(t)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return must2(tls.LoadX509KeyPair(certFile, keyFile))(t), certFile, keyFile
}

func must2[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		return must(t, value, err)
	}
}

func secret(t *testing.T, text string) string {
	t.Helper()
	return writeFile(t, "secret", text)
}

func TestTheRightPasswordOpensTheShards(t *testing.T) {
	for _, version := range []int{2, 3} {
		m := miniredis.RunT(t)
		m.RequireUserAuth("fleet", "right")
		file := secret(t, "wrong\n")
		a := start(t, map[string]string{"REDISSHARD_SERVERS": m.Addr(), "REDISSHARD_USER": "fleet", "REDISSHARD_PASSWORD_FILE": file, "REDISSHARD_AUTO_EJECT": "off"})
		c := connect(t, a.addr, func(o *redis.Options) { o.Protocol = version })
		ctx := deadline(t)
		if err := c.Get(ctx, "k").Err(); err == nil || !strings.HasSuffix(err.Error(), "does not let redisshard log in") {
			t.Errorf("with a wrong password: %v", err)
		}
		writeFile(t, file, "right\n") // and it is used without a restart
		await.That(t, "the password is used", func() bool { return c.Set(ctx, "k", "v", 0).Err() == nil })
	}
}

func TestAChangedPasswordOfTheFileIsTakenOver(t *testing.T) {
	m := miniredis.RunT(t)
	m.RequireAuth("right")
	text := file(m.Addr()+":1 s0") + "  redis_auth: "
	path := writeFile(t, "nutcracker.yaml", text+"wrong\n")
	a := start(t, map[string]string{"REDISSHARD_CONFIG_FILE": path})
	c := dial(t, a.addr)
	c.send(t, "AUTH wrong", "GET k")
	c.expect(t, "+OK\r\n-ERR shard s0 does not let redisshard log in\r\n")
	writeFile(t, path, text+"right\n")
	await.That(t, "the change is taken over", func() bool { return a.metric(t, `redisshard_reloads_total{outcome="taken"}`) == "1" })
	c.send(t, "GET k") // the client has logged in
	c.expect(t, "$-1\r\n")
}

func TestShardsThatWantAPasswordThatIsNotThereAreNoMatterOfClients(t *testing.T) {
	m := miniredis.RunT(t)
	m.RequireAuth("sesame")
	a := start(t, map[string]string{"REDISSHARD_SERVERS": m.Addr() + ":1 s0", "REDISSHARD_AUTO_EJECT": "off"})
	c := dial(t, a.addr)
	c.send(t, "GET k")
	c.expect(t, "-ERR shard s0 does not let redisshard log in\r\n")
}

func TestClientsGiveThePasswordOfTheFile(t *testing.T) {
	m := miniredis.RunT(t)
	a := start(t, map[string]string{"REDISSHARD_SERVERS": m.Addr(), "REDISSHARD_CLIENT_PASSWORD_FILE": secret(t, "sesame\n")})
	c := dial(t, a.addr)
	c.send(t, "GET k", "PING", "HELLO 3", "HELLO 3 AUTH default wrong", "AUTH x", "HELLO 2 AUTH default sesame SETNAME me", "GET k")
	c.expect(t, strings.Repeat("-NOAUTH Authentication required.\r\n", 2))
	if got := c.line(t); !strings.HasPrefix(got, "-NOAUTH HELLO must be called") {
		t.Errorf("%q", got)
	}
	c.expect(t, strings.Repeat("-WRONGPASS invalid username-password pair or user is disabled.\r\n", 2))
	c.expect(t, "*14\r\n")
	for c.line(t) != "modules" {
	}
	c.expect(t, "*0\r\n$-1\r\n")
	c.send(t, "RESET", "GET k")
	c.expect(t, "+RESET\r\n-NOAUTH Authentication required.\r\n")
	for _, version := range []int{2, 3} {
		good := connect(t, a.addr, func(o *redis.Options) { o.Password = "sesame"; o.Protocol = version })
		if err := good.Set(deadline(t), "k", "v", 0).Err(); err != nil {
			t.Error(err)
		}
	}
	bad := connect(t, a.addr, func(o *redis.Options) { o.Password = "wrong" })
	if err := bad.Get(deadline(t), "k").Err(); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("%v", err)
	}
	if metrics := get(t, a.admin+"/configz"); strings.Contains(metrics, "sesame") {
		t.Error("the password is shown")
	}
}

func TestShardsAreReachedByTLSAndOthersAreNotBelieved(t *testing.T) {
	cert, caFile, _ := certificate(t, "redis.internal")
	m := miniredis.NewMiniRedis()
	if err := m.StartTLS(&tls.Config{Certificates: []tls.Certificate{cert}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	env := map[string]string{"REDISSHARD_SERVERS": m.Addr(), "REDISSHARD_TLS": "on", "REDISSHARD_CA_FILE": caFile, "REDISSHARD_SERVER_NAME": "redis.internal", "REDISSHARD_AUTO_EJECT": "off"}
	a := start(t, env)
	c := connect(t, a.addr, nil)
	if err := c.Set(deadline(t), "k", "v", 0).Err(); err != nil {
		t.Error(err)
	}
	env["REDISSHARD_SERVER_NAME"] = "other.internal"
	b := dial(t, start(t, env).addr)
	b.send(t, "GET k")
	b.expect(t, "-ERR shard "+m.Addr()+" cannot be reached\r\n")
}

func TestClientsAreServedByTLSToo(t *testing.T) {
	_, certFile, keyFile := certificate(t, "localhost")
	value := strings.Repeat("x", 300_000)
	f := newFake(t, func(conn net.Conn, words []string) {
		_, _ = io.WriteString(conn, "$300000\r\n"+value+"\r\n")
	})
	a := start(t, map[string]string{"REDISSHARD_SERVERS": f.addr, "TLS_CERT_FILE": certFile, "TLS_KEY_FILE": keyFile})
	pem := must2(os.ReadFile(certFile))(t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c := connect(t, a.addr, func(o *redis.Options) { o.TLSConfig = &tls.Config{RootCAs: pool, ServerName: "localhost"} })
	for range 3 {
		if got, err := c.Get(deadline(t), "k").Result(); err != nil || got != value {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
}

// A server before Redis 6 knows neither HELLO nor users.
func TestAServerOfRESP2ServesClientsOfRESP3(t *testing.T) {
	old := newFake(t, func(conn net.Conn, _ []string) { _, _ = io.WriteString(conn, "*3\r\n$-1\r\n:1\r\n*-1\r\n") })
	old.old = true
	a := start(t, map[string]string{"REDISSHARD_SERVERS": old.addr, "REDISSHARD_PASSWORD_FILE": secret(t, "sesame")})
	c := dial(t, a.addr)
	c.send(t, "HELLO 3", "LRANGE k 0 -1", "LRANGE k 0 -1")
	for c.line(t) != "modules" {
	}
	c.expect(t, "*0\r\n*3\r\n_\r\n:1\r\n_\r\n*3\r\n_\r\n:1\r\n_\r\n")
	c.send(t, "HELLO 2", "LRANGE k 0 -1")
	for c.line(t) != "modules" {
	}
	c.expect(t, "*0\r\n*3\r\n$-1\r\n:1\r\n*-1\r\n")
}

func TestTheDatabaseOfThePoolIsSelected(t *testing.T) {
	m := miniredis.RunT(t)
	path := writeFile(t, "nutcracker.yaml", "r:\n  listen: 127.0.0.1:1\n  redis: true\n  redis_db: 3\n  preconnect: true\n  servers:\n   - "+m.Addr()+":1\n")
	a := start(t, map[string]string{"REDISSHARD_CONFIG_FILE": path})
	await.That(t, "it is connected before the first request", func() bool { return a.metric(t, `redisshard_shard_connections{pool="r",shard="`+m.Addr()+`"}`) == "1" })
	c := dial(t, a.addr)
	c.send(t, "SET k v", "SELECT 3", "SELECT 0", "SELECT 1")
	c.expect(t, "+OK\r\n+OK\r\n+OK\r\n")
	if got := c.line(t); !strings.HasPrefix(got, "-ERR SELECT of another database") {
		t.Errorf("%q", got)
	}
	if got, _ := m.DB(3).Get("k"); got != "v" {
		t.Errorf("database 3 has %q", got)
	}
}

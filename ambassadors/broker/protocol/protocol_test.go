package protocol

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is a real connection: what the broker holds, and what the peer does with
// the other end.
func pair(t *testing.T, peer func(conn net.Conn)) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		peer(conn)
	}()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		ln.Close()
		<-done
	})
	return conn
}

// greeting is that of MySQL 8, or what a test makes of it.
func greeting(version, plugin string) []byte {
	p := append([]byte{10}, version...)
	p = append(p, 0, 7, 0, 0, 0)
	p = append(p, "12345678\x00"...)
	p = append(p, 0xff, 0xff, 45, 2, 0, 0xff, 0xdf, 21)
	p = append(p, make([]byte, 10)...)
	p = append(p, "123456789012\x00"...)
	return append(append(p, plugin...), 0)
}

func TestGreetingsAreRead(t *testing.T) {
	t.Parallel()
	whole := greeting("8.0.36", "caching_sha2_password")
	g, err := ParseGreeting(whole)
	if err != nil || g != (Greeting{"8.0.36", "caching_sha2_password"}) {
		t.Errorf("%+v, %v", g, err)
	}
	if g, err := ParseGreeting(whole[:24]); err != nil || g.Version != "8.0.36" || g.Plugin != "" {
		t.Errorf("of an old server: %+v, %v", g, err)
	}
	for name, p := range map[string][]byte{
		"empty": {}, "protocol 9": {9, 'x', 0}, "HTTP": []byte("HTTP/1.1 400"), "cut": whole[:12], "no version": append([]byte{10, 0}, make([]byte, 40)...),
		"error, cut": {0xff, 1},
	} {
		if g, err := ParseGreeting(p); err == nil {
			t.Errorf("%s: %+v", name, g)
		}
	}
	_, err = ParseGreeting([]byte("\xff\x10\x04#08004Too many connections"))
	if !IsFull(err) || !strings.Contains(err.Error(), "1040: Too many") {
		t.Errorf("%v", err)
	}
}

func FuzzParseGreeting(f *testing.F) {
	f.Add(greeting("10.11.6-MariaDB", "mysql_native_password"))
	f.Add([]byte("\xff\x10\x04Too many connections"))
	f.Add([]byte{10, 'x', 0})
	f.Fuzz(func(t *testing.T, p []byte) {
		g, err := ParseGreeting(p)
		if err == nil && g.Version == "" {
			t.Errorf("%q has no version and no error", p)
		}
	})
}

// FuzzReadPacket: no length that a peer claims is believed beyond the bound.
func FuzzReadPacket(f *testing.F) {
	f.Add([]byte("\x03\x00\x00\x01abc"))
	f.Add([]byte("\xff\xff\xff\x00"))
	f.Fuzz(func(t *testing.T, p []byte) {
		_, payload, err := ReadMySQLPacket(strings.NewReader(string(p)))
		if err == nil && len(payload) > len(p) {
			t.Errorf("%d bytes of %d", len(payload), len(p))
		}
		_, _ = readStartup(strings.NewReader(string(p)))
	})
}

func limit(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// mysqlPeer greets, and answers the log-in with the given packets; it returns
// what it was sent.
func mysqlPeer(sent chan<- []byte, answers ...string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = conn.Write(mysqlPacket(0, greeting("8", "mysql_native_password")))
		for i, a := range answers {
			_, p, err := ReadMySQLPacket(conn)
			if err != nil {
				return
			}
			if i == 0 && sent != nil {
				sent <- p
			}
			_, _ = conn.Write(mysqlPacket(byte(2*i+2), []byte(a)))
		}
		_, _ = io.Copy(io.Discard, conn)
	}
}

func TestAMySQLThatSpeaksIsAlive(t *testing.T) {
	t.Parallel()
	for name, peer := range map[string]func(net.Conn){
		"lets the user in":     mysqlPeer(nil, "\x00\x00\x00\x02\x00\x00\x00"),
		"refuses the user":     mysqlPeer(nil, "\xff\x15\x04#28000Access denied"),
		"asks for another way": mysqlPeer(nil, "\xfecaching_sha2_password\x00salt", "\xff\x15\x04#28000Access denied"),
		"asks for more":        mysqlPeer(nil, "\x01\x04", "\xff\x15\x04#28000Access denied"),
		"is full":              func(c net.Conn) { _, _ = c.Write(mysqlPacket(0, []byte("\xff\x10\x04Too many connections"))) },
	} {
		if err := MySQL.Check(limit(t, 5*time.Second), pair(t, peer), "broker"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	sent := make(chan []byte, 1)
	conn := pair(t, mysqlPeer(sent, "\xff\x15\x04#28000Access denied"))
	if err := MySQL.Check(limit(t, 5*time.Second), conn, "somebody"); err != nil {
		t.Fatal(err)
	}
	if p := <-sent; !strings.Contains(string(p), "somebody\x00\x00mysql_native_password\x00") {
		t.Errorf("the log-in was %q", p)
	}
}

func TestWhatDoesNotSpeakMySQLIsNot(t *testing.T) {
	t.Parallel()
	endless := func(c net.Conn) {
		_, _ = c.Write(mysqlPacket(0, greeting("8", "x")))
		for {
			if _, _, err := ReadMySQLPacket(c); err != nil {
				return
			}
			if _, err := c.Write(mysqlPacket(2, []byte("\xfex\x00"))); err != nil {
				return
			}
		}
	}
	for name, peer := range map[string]func(net.Conn){
		"closes at once":    func(net.Conn) {},
		"speaks SSH":        func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n") },
		"claims 16 MiB":     func(c net.Conn) { _, _ = c.Write([]byte{0xff, 0xff, 0xff, 0, 10}) },
		"blocks the host":   func(c net.Conn) { _, _ = c.Write(mysqlPacket(0, []byte("\xff\x69\x04Host is blocked"))) },
		"greets and closes": func(c net.Conn) { _, _ = c.Write(mysqlPacket(0, greeting("8", "x"))) },
		"asks for ever":     endless,
		"answers nonsense":  mysqlPeer(nil, "\x77"),
		"answers nothing":   mysqlPeer(nil, ""),
	} {
		if err := MySQL.Check(limit(t, 5*time.Second), pair(t, peer), "broker"); err == nil {
			t.Errorf("one that %s is taken for alive", name)
		}
	}
}

func TestASilentPeerTakesNoLongerThanTheCheckMay(t *testing.T) {
	t.Parallel()
	for _, name := range []Name{MySQL, Postgres} {
		conn := pair(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		began := time.Now()
		err := name.Check(limit(t, 100*time.Millisecond), conn, "broker")
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) > 3*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(began))
		}
		conn = pair(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(50*time.Millisecond, cancel)
		if err := name.Check(ctx, conn, "broker"); err == nil {
			t.Errorf("%s: a check that was called off succeeded", name)
		}
	}
}

func TestAMySQLClientIsToldWhy(t *testing.T) {
	t.Parallel()
	for r, want := range map[Refusal]string{
		{Reason: "no database"}:          "\x0e\x00\x00\x00\xff\x95\x05no database",
		{Full: true, Reason: "too many"}: "\x0b\x00\x00\x00\xff\x10\x04too many",
	} {
		heard := make(chan string, 1)
		conn := pair(t, func(c net.Conn) {
			text, _ := io.ReadAll(c)
			heard <- string(text)
		})
		MySQL.Refuse(limit(t, time.Second), conn, r)
		conn.Close()
		if got := <-heard; got != want {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
	}
}

// startup is what a PostgreSQL client begins with.
func startup(code uint32, rest string) []byte {
	p := binary.BigEndian.AppendUint32(nil, uint32(len(rest)+8))
	return append(binary.BigEndian.AppendUint32(p, code), rest...)
}

func TestAPostgresClientIsToldWhyAfterItHasSpoken(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 1)
	conn := pair(t, func(c net.Conn) {
		_, _ = c.Write(startup(pgGSS, ""))
		no := make([]byte, 1)
		_, _ = io.ReadFull(c, no)
		_, _ = c.Write(startup(pgSSL, ""))
		_, _ = io.ReadFull(c, no)
		_, _ = c.Write(startup(pgVersion3, "user\x00x\x00\x00"))
		text, _ := io.ReadAll(c)
		heard <- string(no) + string(text)
	})
	Postgres.Refuse(limit(t, 2*time.Second), conn, Refusal{Reason: "no database"})
	conn.Close()
	want := "NE\x00\x00\x00\x27SFATAL\x00VFATAL\x00C08001\x00Mno database\x00\x00"
	if got := <-heard; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAClientThatSaysNothingIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"", "\x00\x00", "\xff\xff\xff\xff\x00\x00\x00\x00", string(startup(pgCancel, "12345678"))} {
		conn := pair(t, func(c net.Conn) {
			_, _ = io.WriteString(c, first)
			_, _ = io.Copy(io.Discard, c)
		})
		began := time.Now()
		Postgres.Refuse(limit(t, 100*time.Millisecond), conn, Refusal{Reason: "x"})
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%q: it took %v", first, took)
		}
		conn.Close()
	}
}

func TestOfAnUnknownProtocolTheEndIsAReset(t *testing.T) {
	t.Parallel()
	heard := make(chan error, 1)
	conn := pair(t, func(c net.Conn) {
		_, err := io.ReadAll(c)
		heard <- err
	})
	TCP.Refuse(limit(t, time.Second), conn, Refusal{Reason: "x"})
	conn.Close()
	if err := <-heard; err == nil {
		t.Error("the client takes it for an orderly end")
	}
}

func TestAPostgresThatAnswersIsAlive(t *testing.T) {
	t.Parallel()
	peer := func(answer string) func(net.Conn) {
		return func(c net.Conn) {
			if _, err := readStartup(c); err == nil {
				_, _ = io.WriteString(c, answer)
			}
		}
	}
	for answer, alive := range map[string]bool{
		"R\x00\x00\x00\x08\x00\x00\x00\x05":              true,
		"E\x00\x00\x00\x15SFATAL\x00C28000\x00M\x00\x00": true,
		"E\x00\x00\x00\x15SFATAL\x00C57P03\x00M\x00\x00": false,
		"E\xff\xff\xff\xff":                              false,
		"E\x00\x00\x00\x15SFA":                           false,
		"HTTP/1.1 400":                                   false,
		"":                                               false,
	} {
		if err := Postgres.Check(limit(t, 5*time.Second), pair(t, peer(answer)), "broker"); (err == nil) != alive {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

func TestNamesAreChecked(t *testing.T) {
	t.Parallel()
	var n Name
	if n.UnmarshalText([]byte("oracle")) == nil || n.UnmarshalText([]byte("postgres")) != nil || n.Port() != "5432" || len(n.Kinds()) != 2 {
		t.Errorf("%v", n)
	}
}

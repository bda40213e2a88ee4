package protocol

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// Codes that a PostgreSQL client begins with.
const (
	pgVersion3 = 3 << 16
	pgCancel   = 80877102
	pgSSL      = 80877103
	pgGSS      = 80877104
)

// SQLSTATEs of PostgreSQL.
const (
	pgTooMany     = "53300"
	pgStarting    = "57P03" // cannot connect now
	pgUnreachable = "08001"
)

const maxStartup = 10_000 // bytes, as in PostgreSQL

// readStartup reads the first packet of a client: its length, then a code.
func readStartup(r io.Reader) (code uint32, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length < 8 || length > maxStartup {
		return 0, fmt.Errorf("a startup packet of %d bytes", length)
	}
	if _, err := io.CopyN(io.Discard, r, int64(length-8)); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(head[4:]), nil
}

// refusePostgres hears the client out, for what it has sent and nobody has read
// would turn the answer into a reset, and sends a FATAL error.
func refusePostgres(conn net.Conn, r Refusal) {
	for range 3 { // it may ask for TLS and for GSSAPI first
		code, err := readStartup(conn)
		if err != nil || code == pgCancel {
			return
		}
		if code != pgSSL && code != pgGSS {
			_, _ = conn.Write(pgError(r)) // to a client that may be gone
			return
		}
		if _, err := conn.Write([]byte{'N'}); err != nil {
			return
		}
	}
}

func pgError(r Refusal) []byte {
	state := pgUnreachable
	if r.Full {
		state = pgTooMany
	}
	var fields []byte
	for _, f := range []string{"SFATAL", "VFATAL", "C" + state, "M" + r.Reason} {
		fields = append(append(fields, f...), 0)
	}
	fields = append(fields, 0)
	head := binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(fields)+4))
	return append(head, fields...)
}

// checkPostgres begins a session as pg_isready does. Every answer will do but the
// one that the database is starting, stopping or recovering.
func checkPostgres(conn io.ReadWriter, user string) error {
	params := "user\x00" + user + "\x00database\x00" + user + "\x00application_name\x00broker\x00\x00"
	packet := binary.BigEndian.AppendUint32(nil, uint32(len(params)+8))
	packet = binary.BigEndian.AppendUint32(packet, pgVersion3)
	if _, err := conn.Write(append(packet, params...)); err != nil {
		return fmt.Errorf("begin session: %w", err)
	}
	kind, text, err := readMessage(conn)
	if err != nil {
		return fmt.Errorf("begin session: %w", err)
	}
	switch kind {
	case 'R', 'v': // it asks who we are, or which version we speak
		return nil
	case 'E':
		if strings.Contains(text, "\x00C"+pgStarting+"\x00") {
			return errors.New("the database is starting, stopping or recovering")
		}
		return nil
	}
	return fmt.Errorf("begin session: an answer of type %q", kind)
}

// readMessage reads a whole message: what is left unread when a connection is
// closed resets it, which PostgreSQL logs.
func readMessage(r io.Reader) (kind byte, text string, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, "", err
	}
	length := binary.BigEndian.Uint32(head[1:])
	if length < 4 || length > maxStartup {
		return 0, "", fmt.Errorf("a message of %d bytes", length)
	}
	body := make([]byte, length-4)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, "", err
	}
	return head[0], string(body), nil
}

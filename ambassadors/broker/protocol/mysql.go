package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Numbers of MySQL's errors.
const (
	mysqlTooMany     = 1040 // Too many connections
	mysqlUnreachable = 1429 // ER_CONNECT_TO_FOREIGN_DATA_SOURCE; newer clients take 2003, which MySQL Router says, for a fault of their own
)

// maxGreeting bounds the packets of a log-in; a greeting has about 100 bytes.
const maxGreeting = 16 << 10

// MySQLError is an error that a server sent.
type MySQLError struct {
	Code    uint16
	Message string
}

func (e *MySQLError) Error() string { return fmt.Sprintf("error %d: %.200s", e.Code, e.Message) }

// IsFull tells whether the server said that it has too many connections.
func IsFull(err error) bool {
	var e *MySQLError
	return errors.As(err, &e) && e.Code == mysqlTooMany
}

// A Greeting is the first packet of a MySQL server.
type Greeting struct {
	Version string
	Plugin  string // how it wants to authenticate
}

// ParseGreeting reads the payload of the first packet. A server that refuses the
// client at once sends a *MySQLError in its place.
func ParseGreeting(p []byte) (Greeting, error) {
	if len(p) == 0 {
		return Greeting{}, errors.New("the greeting is empty")
	}
	if p[0] == 0xff {
		return Greeting{}, parseMySQLError(p)
	}
	if p[0] != 10 {
		return Greeting{}, fmt.Errorf("the greeting has protocol version %d, not 10", p[0])
	}
	version, rest, ok := bytes.Cut(p[1:], []byte{0})
	// connection id 4, salt 8, filler 1, capabilities 2
	if !ok || len(version) == 0 || len(rest) < 15 {
		return Greeting{}, errors.New("the greeting is cut off")
	}
	g := Greeting{Version: string(version)}
	capabilities := uint32(binary.LittleEndian.Uint16(rest[13:]))
	rest = rest[15:]
	if len(rest) < 16 { // character set 1, status 2, capabilities 2, length of salt 1, reserved 10
		return g, nil // as old servers do
	}
	capabilities |= uint32(binary.LittleEndian.Uint16(rest[3:])) << 16
	salt := max(13, int(rest[5])-8)
	rest = rest[16:]
	if capabilities&clientPluginAuth != 0 && len(rest) >= salt {
		plugin, _, _ := bytes.Cut(rest[salt:], []byte{0})
		g.Plugin = string(plugin)
	}
	return g, nil
}

func parseMySQLError(p []byte) error {
	if len(p) < 3 {
		return errors.New("the error packet is cut off")
	}
	e := &MySQLError{Code: binary.LittleEndian.Uint16(p[1:])}
	text := p[3:]
	if len(text) >= 6 && text[0] == '#' {
		text = text[6:] // the SQLSTATE
	}
	e.Message = string(text)
	return e
}

// ReadMySQLPacket reads a packet of a log-in.
func ReadMySQLPacket(r io.Reader) (sequence byte, payload []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	length := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if length > maxGreeting {
		return 0, nil, fmt.Errorf("a packet of %d bytes is no greeting", length)
	}
	payload = make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, err
	}
	return head[3], payload, nil
}

func mysqlPacket(sequence byte, payload []byte) []byte {
	n := len(payload)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), sequence}, payload...)
}

// refuseMySQL sends an error in place of the greeting. Before a greeting there is
// no SQLSTATE in it.
func refuseMySQL(w io.Writer, r Refusal) {
	code := uint16(mysqlUnreachable)
	if r.Full {
		code = mysqlTooMany
	}
	payload := append([]byte{0xff, byte(code), byte(code >> 8)}, r.Reason...)
	_, _ = w.Write(mysqlPacket(0, payload)) // to a client that may be gone
}

// Capabilities that the check claims.
const (
	clientProtocol41  = 1 << 9
	clientSecure      = 1 << 15
	clientPluginAuth  = 1 << 19
	clientCapsOfCheck = clientProtocol41 | clientSecure | clientPluginAuth
)

// checkMySQL waits for the greeting and logs in with no password. To hang up
// after the greeting would be quicker, but MySQL counts that as an error of the
// host and, after max_connect_errors (100) in a row, blocks the host, with the
// application on it. A log-in that is refused is not counted.
func checkMySQL(r io.Reader, w io.Writer, user string) error {
	sequence, payload, err := ReadMySQLPacket(r)
	if err != nil {
		return fmt.Errorf("read greeting: %w", err)
	}
	greeting, err := ParseGreeting(payload)
	if IsFull(err) {
		return nil // its clients are to hear that from itself
	}
	if err != nil {
		return err
	}
	if _, err := w.Write(mysqlPacket(sequence+1, login(user, greeting.Plugin))); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	return awaitVerdict(r, w)
}

// login is a HandshakeResponse41 without a password.
func login(user, plugin string) []byte {
	p := binary.LittleEndian.AppendUint32(nil, clientCapsOfCheck)
	p = binary.LittleEndian.AppendUint32(p, maxGreeting)
	p = append(p, 45) // utf8mb4
	p = append(p, make([]byte, 23)...)
	p = append(append(p, user...), 0)
	p = append(p, 0) // length of the authentication data
	return append(append(p, plugin...), 0)
}

// awaitVerdict reads how the log-in went. Being refused is as good as being let in.
func awaitVerdict(r io.Reader, w io.Writer) error {
	for range 4 { // it may ask for another way to authenticate
		sequence, payload, err := ReadMySQLPacket(r)
		if err != nil {
			return fmt.Errorf("log in: %w", err)
		}
		if len(payload) == 0 {
			return errors.New("log in: the answer is empty")
		}
		switch payload[0] {
		case 0x00:
			_, _ = w.Write(mysqlPacket(0, []byte{1})) // COM_QUIT; it closes, heard or not
			return nil
		case 0xff:
			return nil
		case 0xfe, 0x01:
			if _, err := w.Write(mysqlPacket(sequence+1, nil)); err != nil {
				return fmt.Errorf("log in: %w", err)
			}
		default:
			return fmt.Errorf("log in: an answer of type %d", payload[0])
		}
	}
	return errors.New("log in: it asks again and again")
}

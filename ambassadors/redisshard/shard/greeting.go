package shard

import (
	"bytes"
	"errors"
	"fmt"
	"net"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
)

// greeting is what is said on a new connection before it is used.
type greeting struct {
	conn net.Conn
	in   *resp.Replies
}

// maxGreeting bounds a reply to it.
const maxGreeting = 64 << 10

// errOld is that a server does not know RESP3.
var errOld = errors.New("the server speaks RESP2 only")

// ask sends a command and waits for its reply.
func (g greeting) ask(args ...string) ([]byte, error) {
	if _, err := g.conn.Write(resp.AppendCommand(nil, args...)); err != nil {
		return nil, err
	}
	for {
		reply, ok, err := g.in.Next()
		if err != nil {
			return nil, err
		}
		if ok {
			if len(reply) == 0 {
				return nil, resp.ErrTooLarge
			}
			return reply, nil
		}
		if _, err := g.in.Fill(g.conn); err != nil {
			return nil, fmt.Errorf("read the answer to %s: %w", args[0], err)
		}
	}
}

// hello switches to RESP3, and logs in.
func (g greeting) hello(user, password string) error {
	args := []string{"HELLO", "3"}
	if password != "" {
		args = append(args, "AUTH", user, password)
	}
	reply, err := g.ask(args...)
	switch {
	case err != nil:
		return err
	case reply[0] != '-':
		return nil
	case bytes.HasPrefix(reply, []byte("-NOPROTO")), bytes.HasPrefix(reply, []byte("-ERR unknown command")):
		return errOld
	}
	return refusal(reply)
}

// login logs in with RESP2. The user default is left out: servers before 6 have
// no users.
func (g greeting) login(user, password string) error {
	args := []string{"AUTH", user, password}
	if user == "default" {
		args = []string{"AUTH", password}
	}
	reply, err := g.ask(args...)
	if err == nil && reply[0] == '-' {
		err = refusal(reply)
	}
	return err
}

// refusal is the error of a refused login. The text of the server is not passed
// on: some repeat what they were sent.
func refusal(reply []byte) error {
	kind, _, _ := bytes.Cut(bytes.TrimSpace(reply[1:]), []byte(" "))
	return fmt.Errorf("%w (%s)", errLogin, kind)
}

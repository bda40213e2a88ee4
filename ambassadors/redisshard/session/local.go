package session

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strconv"

	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/command"
	"github.com/flotilla-dev/flotilla/ambassadors/redisshard/resp"
)

// serverVersion is the version of Redis whose clients are served.
const serverVersion = "7.0.0"

func is(arg []byte, word string) bool { return bytes.EqualFold(arg, []byte(word)) }

func withoutPassword(name string) bool {
	return name == "AUTH" || name == "HELLO" || name == "QUIT" || name == "RESET"
}

// local answers a command that needs no shard.
func (s *session) local(name string, args [][]byte) {
	switch name {
	case "PING":
		s.ping(args)
	case "ECHO":
		if len(args) != 2 {
			s.arity(name)
			return
		}
		s.say(resp.AppendBulk(nil, args[1]))
	case "QUIT":
		s.ok()
		s.quit = true
	case "AUTH":
		s.auth(args)
	case "HELLO":
		s.hello(args)
	case "SELECT":
		s.selectDB(args)
	case "COMMAND":
		s.command(args)
	case "CLIENT":
		s.client(args)
	case "RESET":
		s.reset()
	}
}

func (s *session) ok()               { s.say(resp.AppendStatus(nil, "OK")) }
func (s *session) arity(name string) { s.wrong(command.Arity(name)) }

func (s *session) ping(args [][]byte) {
	switch len(args) {
	case 1:
		s.say(resp.AppendStatus(nil, "PONG"))
	case 2:
		s.say(resp.AppendBulk(nil, args[1]))
	default:
		s.arity("PING")
	}
}

// selectDB: the databases of a server are no business of who talks to many.
func (s *session) selectDB(args [][]byte) {
	if len(args) != 2 {
		s.arity("SELECT")
		return
	}
	if n, err := strconv.Atoi(string(args[1])); err != nil || n != 0 && n != s.o.Pool.Config().RedisDB {
		s.refuse("unsupported", "ERR SELECT of another database than 0 is not supported: redis_db of the pool says which one the shards use")
		return
	}
	s.ok()
}

// command answers what clients ask for when they start. The positions of keys
// are the table of package command, which no client needs of a single server.
func (s *session) command(args [][]byte) {
	switch {
	case len(args) > 1 && is(args[1], "COUNT"):
		s.say(resp.AppendInt(nil, int64(command.Len())))
	case len(args) > 1 && is(args[1], "DOCS") && s.version == 3:
		s.say(resp.AppendHeader(nil, '%', 0))
	default:
		s.say(resp.AppendHeader(nil, '*', 0))
	}
}

func (s *session) client(args [][]byte) {
	if len(args) < 2 {
		s.arity("CLIENT")
		return
	}
	switch {
	case is(args[1], "ID"):
		s.say(resp.AppendInt(nil, int64(s.id)))
	case is(args[1], "GETNAME") && s.name == "":
		s.say(resp.AppendNull(nil, s.version))
	case is(args[1], "GETNAME"):
		s.say(resp.AppendBulk(nil, s.name))
	case is(args[1], "SETNAME") && len(args) == 3:
		s.setName(args[2])
	case is(args[1], "SETINFO") && len(args) == 4:
		s.ok() // the name and version of a library: nobody is told
	default:
		s.refuse("unsupported", "ERR CLIENT is supported with ID, GETNAME, SETNAME and SETINFO only")
	}
}

func (s *session) setName(name []byte) {
	if len(name) > 256 || bytes.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		s.refuse("arguments", "ERR Client names cannot contain spaces, newlines or special characters.")
		return
	}
	s.name = string(name)
	s.ok()
}

func (s *session) reset() {
	s.endTransaction()
	s.unwatch()
	s.version, s.name, s.authorised = 2, "", !s.needsPassword()
	s.say(resp.AppendStatus(nil, "RESET"))
}

func (s *session) needsPassword() bool {
	password, err := s.o.Password()
	return err != nil || password != ""
}

// auth is AUTH [user] password.
func (s *session) auth(args [][]byte) {
	if len(args) != 2 && len(args) != 3 {
		s.arity("AUTH")
		return
	}
	if !s.needsPassword() {
		s.fail("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
		return
	}
	if s.login(args[len(args)-1]) {
		s.ok()
	}
}

// login compares a password, and answers when it is wrong.
func (s *session) login(given []byte) bool {
	password, err := s.o.Password()
	if err != nil {
		s.o.Log.Error("no client can log in", "error", err)
	}
	// Digests have one length, so that the comparison tells nothing of the password's.
	want, got := sha256.Sum256([]byte(password)), sha256.Sum256(given)
	if err != nil || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		s.authorised = false
		s.refuse("auth", "WRONGPASS invalid username-password pair or user is disabled.")
		return false
	}
	s.authorised = true
	return true
}

// hello is HELLO [version [AUTH user password] [SETNAME name]].
func (s *session) hello(args [][]byte) {
	version := s.version
	if len(args) > 1 {
		n, err := strconv.Atoi(string(args[1]))
		if err != nil || n != 2 && n != 3 {
			s.refuse("arguments", "NOPROTO unsupported protocol version")
			return
		}
		version = n
	}
	name := s.name
	for i := 2; i < len(args); {
		switch {
		case is(args[i], "AUTH") && i+2 < len(args):
			if s.needsPassword() && !s.login(args[i+2]) {
				return
			}
			i += 3
		case is(args[i], "SETNAME") && i+1 < len(args):
			name = string(args[i+1])
			i += 2
		default:
			s.refuse("arguments", fmt.Sprintf("ERR Syntax error in HELLO option '%s'", printable(args[i])))
			return
		}
	}
	if !s.authorised {
		s.refuse("auth", "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
		return
	}
	s.version, s.name = version, name
	s.say(s.greeting())
}

func (s *session) greeting() []byte {
	var b []byte
	if s.version == 3 {
		b = resp.AppendHeader(b, '%', 7)
	} else {
		b = resp.AppendHeader(b, '*', 14)
	}
	b = resp.AppendBulk(resp.AppendBulk(b, "server"), "redis")
	b = resp.AppendBulk(resp.AppendBulk(b, "version"), serverVersion)
	b = resp.AppendInt(resp.AppendBulk(b, "proto"), int64(s.version))
	b = resp.AppendInt(resp.AppendBulk(b, "id"), int64(s.id))
	b = resp.AppendBulk(resp.AppendBulk(b, "mode"), "standalone")
	b = resp.AppendBulk(resp.AppendBulk(b, "role"), "master")
	return resp.AppendHeader(resp.AppendBulk(b, "modules"), '*', 0)
}

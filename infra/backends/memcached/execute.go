package memcached

import (
	"bytes"
	"strconv"
)

// The answers of memcached to what it cannot do.
const (
	badFormat   = "CLIENT_ERROR bad command line format"
	badExptime  = "CLIENT_ERROR invalid exptime argument"
	badChunk    = "CLIENT_ERROR bad data chunk"
	notANumber  = "CLIENT_ERROR cannot increment or decrement non-numeric value"
	tooLarge    = "SERVER_ERROR object too large for cache"
	unknown     = "ERROR"
	maxDataSize = 1<<31 - 3
)

// execute does one command. An error ends the session.
func (c *session) execute(line []byte) error {
	c.mute = false
	args := c.split(line)
	if len(args) == 0 {
		c.say(unknown)
		return nil
	}
	switch name := string(args[0]); name {
	case "get", "gets":
		return c.get(args[1:], name == "gets")
	case "gat", "gats":
		return c.getAndTouch(args[1:], name == "gats")
	case "set":
		return c.storage(modeSet, args)
	case "add":
		return c.storage(modeAdd, args)
	case "replace":
		return c.storage(modeReplace, args)
	case "append":
		return c.storage(modeAppend, args)
	case "prepend":
		return c.storage(modePrepend, args)
	case "cas":
		return c.storage(modeCAS, args)
	case "mg", "ms", "md", "ma", "me", "mn":
		return c.meta(name[1], args)
	}
	return c.executeRest(args)
}

// executeRest does the commands without data.
func (c *session) executeRest(args [][]byte) error {
	c.mute = len(args) > 1 && string(args[len(args)-1]) == "noreply"
	switch name := string(args[0]); {
	case name == "delete" && len(args) > 1 && len(args) < 5:
		c.remove(args[1:])
	case name == "incr" && c.takes(args, 3), name == "decr" && c.takes(args, 3):
		c.count(args[1], args[2], name == "decr")
	case name == "touch" && c.takes(args, 3):
		c.touch(args[1], args[2])
	case name == "flush_all" && len(args) < 4:
		c.flushAll(args[1:])
	case name == "version": // it always answers
		c.fail("VERSION " + version)
	case name == "verbosity" && (len(args) == 2 || len(args) == 3):
		c.verbosity(args[1])
	case name == "stats":
		c.mute = false
		c.showStats(args[1:])
	case name == "quit":
		return errQuit
	case bytes.HasPrefix(args[len(args)-1], []byte("HTTP/")):
		return errQuit // a browser was made to talk to us: what it says may be anything
	default:
		c.fail(unknown)
	}
	return nil
}

// takes tells whether there are n arguments, and no more than a noreply after.
func (c *session) takes(args [][]byte, n int) bool { return len(args) == n || len(args) == n+1 }

func (c *session) remove(args [][]byte) {
	switch rest := len(args) - 1; { // an old form has a 0 after the key
	case rest == 1 && (c.mute || string(args[1]) == "0"), rest == 2 && c.mute && string(args[1]) == "0", rest == 0:
	default:
		c.say(badFormat + ".  Usage: delete <key> [noreply]")
		return
	}
	if len(args[0]) > maxKey {
		c.say(badFormat)
		return
	}
	s := c.store
	s.Lock()
	defer s.Unlock()
	it := s.find(args[0], s.now())
	if it == nil {
		s.stats.deleteMisses++
		c.say("NOT_FOUND")
		return
	}
	s.stats.deleteHits++
	s.remove(it)
	c.say("DELETED")
}

func (c *session) count(key, number []byte, decrement bool) {
	delta, ok := parseUint(number, 64)
	switch {
	case len(key) > maxKey:
		c.say(badFormat)
		return
	case !ok:
		c.say("CLIENT_ERROR invalid numeric delta argument")
		return
	}
	s := c.store
	s.Lock()
	defer s.Unlock()
	now := s.now()
	it := s.find(key, now)
	s.stats.counted(decrement, it != nil)
	if it == nil {
		c.say("NOT_FOUND")
		return
	}
	_, digits, ok := s.add(it, delta, decrement, now)
	if !ok {
		c.say(notANumber)
		return
	}
	c.say(string(digits))
}

func (c *session) touch(key, when []byte) {
	exptime, ok := parseInt(when)
	switch {
	case len(key) > maxKey:
		c.say(badFormat)
		return
	case !ok:
		c.say(badExptime)
		return
	}
	s := c.store
	s.Lock()
	defer s.Unlock()
	now := s.now()
	it := s.find(key, now)
	s.stats.touched(it != nil)
	if it == nil {
		c.say("NOT_FOUND")
		return
	}
	s.use(it, now)
	it.expires = deadline(now, exptime)
	c.say("TOUCHED")
}

func (c *session) flushAll(args [][]byte) {
	if c.mute {
		args = args[:len(args)-1]
	}
	var delay int32
	if len(args) > 0 {
		var ok bool
		if delay, ok = parseInt(args[0]); !ok {
			c.say(badExptime)
			return
		}
	}
	s := c.store
	s.Lock()
	defer s.Unlock()
	now := s.now()
	when := deadline(now, delay)
	if delay <= 0 || when.Before(now) {
		when = now
	}
	s.flushAt(when, now)
	c.say("OK")
}

func (c *session) verbosity(level []byte) {
	if _, err := strconv.ParseUint(string(level), 10, 32); err != nil {
		c.say(badFormat)
		return
	}
	c.say("OK")
}

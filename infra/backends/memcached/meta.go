package memcached

import (
	"encoding/base64"
	"fmt"
	"time"
)

// meta does the meta commands: a code of two letters, a key, and flags that say
// what to do and what to answer.
func (c *session) meta(command byte, args [][]byte) error {
	c.store.Lock()
	c.store.stats.meta++
	c.store.Unlock()
	switch {
	case command == 'n':
		c.say("MN")
		return nil
	case len(args) < 2:
		c.say(unlessIs(command == 'e', badFormat, unknown))
		return nil
	case len(args[1]) > maxKey:
		c.say(badFormat)
		return nil
	case command == 's':
		return c.metaSet(args)
	case command == 'e':
		c.metaDebug(args[1:])
		return nil
	}
	now := c.store.now()
	f, flaw := parseFlags(args[1], args[2:], now)
	switch {
	case len(args) > maxFlags+2:
		c.say("CLIENT_ERROR options flags " + unlessIs(command == 'g', "are too long", "too long"))
	case flaw != "" && command != 'g' && flaw != opaqueTooLong:
		c.say("CLIENT_ERROR invalid or duplicate flag")
	case flaw != "":
		c.say(flaw)
	case command == 'g':
		c.metaGet(f)
	case command == 'd':
		c.metaDelete(f)
	default:
		c.metaArithmetic(f)
	}
	return nil
}

func unlessIs(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

// status answers a code with the flags that do not depend on an item. A quiet
// client does not see what it expected.
func (c *session) status(code string, f flags, expected bool) {
	if expected && f.quiet {
		return
	}
	c.out = append(c.out, code...)
	c.echo(f)
	c.out = append(c.out, "\r\n"...)
}

// echo answers the flags that do not depend on an item.
func (c *session) echo(f flags) {
	for _, word := range f.words {
		c.echoOne(f, word, f.binary)
	}
}

func (c *session) echoOne(f flags, word []byte, binary bool) {
	switch word[0] {
	case 'O':
		c.out = append(append(c.out, ' '), word...)
	case 'k':
		c.out = append(c.out, " k"...)
		if !binary {
			c.out = append(c.out, f.key...)
			return
		}
		c.out = append(base64.StdEncoding.AppendEncode(c.out, f.key), " b"...)
	}
}

// metaGet is mg: get, gat and touch in one, and who is to recache.
func (c *session) metaGet(f flags) {
	s := c.store
	s.Lock()
	defer s.Unlock()
	now := s.now()
	it := s.find(f.key, now)
	created := it == nil && f.vivify
	hit := it != nil
	if created {
		it = &item{key: string(f.key)}
		s.put(it, now)
	}
	if f.newTTL {
		s.stats.touched(hit)
	} else {
		s.stats.got(hit)
	}
	if it == nil {
		c.status("EN", f, true)
		return
	}
	if f.value {
		c.out = append(c.out, "VA"...)
		c.number(' ', uint64(len(it.value)))
	} else {
		c.out = append(c.out, "HD"...)
	}
	won := c.describe(f, it, created, now)
	c.verdict(it, won)
	if f.value {
		c.block(it.value)
	} else {
		c.out = append(c.out, "\r\n"...)
	}
	if !f.noBump {
		s.use(it, now)
	}
}

// describe answers, and does, the flags of mg on an item, in their order. It
// tells whether this client is the one to recache it.
func (c *session) describe(f flags, it *item, created bool, now time.Time) (won bool) {
	for _, word := range f.words {
		switch word[0] {
		case 'T':
			it.expires = f.exptime
		case 'N':
			if created {
				it.expires, won = f.vivifyExptime, true
			}
		case 'R':
			won = won || !it.won && !created && !it.expires.IsZero() && it.expires.Before(f.recacheBefore)
		case 's':
			c.out = append(c.out, ' ')
			c.number('s', uint64(len(it.value)))
		case 't':
			c.out = fmt.Appendf(c.out, " t%d", it.ttl(now))
		case 'c':
			c.out = append(c.out, ' ')
			c.number('c', it.cas)
		case 'f':
			c.out = append(c.out, ' ')
			c.number('f', uint64(it.flags))
		case 'l':
			c.out = append(c.out, ' ')
			c.number('l', uint64(now.Sub(it.accessed)/time.Second))
		case 'h':
			c.out = append(c.out, unlessIs(it.fetched, " h1", " h0")...)
		default:
			c.echoOne(f, word, it.binary)
		}
	}
	return won
}

// verdict answers who recaches: W you, Z another one, X it is stale.
func (c *session) verdict(it *item, won bool) {
	if it.won {
		c.out = append(c.out, " Z"...)
	}
	if it.stale {
		c.out = append(c.out, " X"...)
		won = won || !it.won
	}
	if won {
		c.out = append(c.out, " W"...)
		it.won = true
	}
}

// metaDelete is md: delete, or mark as stale.
func (c *session) metaDelete(f flags) {
	s := c.store
	s.Lock()
	defer s.Unlock()
	it := s.find(f.key, s.now())
	code := "HD"
	switch {
	case it == nil:
		code = "NF"
		s.stats.deleteMisses++
	case f.hasCAS && f.cas != it.cas:
		code = "EX"
		s.stats.deleteMisses++
	case f.invalidate:
		if f.newTTL {
			it.expires = f.exptime
		}
		it.stale, it.won, it.cas = true, false, s.nextCAS()
	default:
		s.stats.deleteHits++
		s.remove(it)
	}
	c.status(code, f, code == "HD")
}

// metaDebug is me: what the store knows of an item.
func (c *session) metaDebug(args [][]byte) {
	key, binary := args[0], len(args) > 1 && string(args[1]) == "b"
	if binary {
		var flaw string
		if key, flaw = decoded(key); flaw != "" {
			c.say(badFormat)
			return
		}
	}
	s := c.store
	s.Lock()
	defer s.Unlock()
	now := s.now()
	it := s.find(key, now)
	if it == nil {
		c.say("EN")
		return
	}
	shown := string(key)
	if it.binary {
		shown = base64.StdEncoding.EncodeToString(key)
	}
	c.say(fmt.Sprintf("ME %s exp=%d la=%d cas=%d fetch=%s cls=1 size=%d", shown, it.ttl(now),
		int64(now.Sub(it.accessed)/time.Second), it.cas, unlessIs(it.fetched, "yes", "no"), it.size()))
}

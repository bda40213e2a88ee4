package memcached

import (
	"strconv"
)

const opaqueTooLong = "CLIENT_ERROR opaque token too long"

// metaSet is ms <key> <bytes> <flags>*, with a data block.
func (c *session) metaSet(args [][]byte) error {
	if len(args) == 2 || len(args) > maxFlags+2 {
		c.say(unlessIs(len(args) == 2, badFormat, "CLIENT_ERROR options flags too long"))
		return nil
	}
	n, ok := parseInt(args[2])
	if !ok || n < 0 || n > maxDataSize {
		c.say(badFormat)
		return nil
	}
	f, flaw := parseFlags(args[1], args[3:], c.store.now())
	u, wrong := f.update()
	if flaw == "" {
		flaw = wrong
	}
	if flaw != "" {
		c.say(flaw)
		return c.skip(int(n))
	}
	f.words = clone(f.words) // the line is gone when the data is read
	f.key = append([]byte(nil), f.key...)
	return c.put(u, int(n), func(r result, cas uint64) {
		if f.quiet && r == stored {
			return
		}
		c.out = append(c.out, metaResults[r]...)
		for _, word := range f.words {
			if word[0] == 'c' {
				c.out = append(c.out, ' ')
				c.number('c', cas)
				continue
			}
			c.echoOne(f, word, f.binary)
		}
		c.out = append(c.out, "\r\n"...)
	})
}

var metaResults = [...]string{stored: "HD", notStored: "NS", exists: "EX", notFound: "NF"}

func clone(words [][]byte) [][]byte {
	all := make([][]byte, len(words))
	for i, word := range words {
		all[i] = append([]byte(nil), word...)
	}
	return all
}

// update is what an ms asks for.
func (f *flags) update() (update, string) {
	u := update{key: f.key, flags: f.clientFlags, expires: f.exptime, cas: f.cas, invalidate: f.invalidate, binary: f.binary}
	switch f.mode {
	case 0, 'S':
		u.mode = modeSet
	case 'E':
		u.mode = modeAdd
	case 'A':
		u.mode = modeAppend
	case 'P':
		u.mode = modePrepend
	case 'R':
		u.mode = modeReplace
	default:
		return u, "CLIENT_ERROR invalid mode for ms M token"
	}
	if f.hasCAS && (u.mode == modeSet || u.mode == modeReplace) {
		u.mode = modeCAS
	}
	return u, ""
}

// metaArithmetic is ma: incr and decr, which may create what is not there.
func (c *session) metaArithmetic(f flags) {
	var decrement bool
	switch f.mode {
	case 0, 'I', '+':
	case 'D', '-':
		decrement = true
	default:
		c.say("CLIENT_ERROR invalid mode for ma M token")
		return
	}
	s := c.store
	s.Lock()
	defer s.Unlock()
	now := s.now()
	it := s.find(f.key, now)
	var digits []byte
	created := it == nil && f.vivify
	switch {
	case created:
		digits = strconv.AppendUint(nil, f.initial, 10)
		it = &item{key: string(f.key), value: digits}
		s.put(it, now)
	case it == nil:
		s.stats.counted(decrement, false)
		c.status("NF", f, false)
		return
	case len(it.value) > 0 && f.cas != 0 && f.cas != it.cas:
		c.status("EX", f, false)
		return
	default:
		var ok bool
		s.stats.counted(decrement, true)
		if it, digits, ok = s.add(it, f.delta, decrement, now); !ok {
			c.say(notANumber)
			return
		}
	}
	start := len(c.out)
	c.total(f, it, digits, created)
	if f.quiet && !created { // as in memcached: that it was created is news
		c.out = c.out[:start]
	}
}

// total answers ma with a number.
func (c *session) total(f flags, it *item, digits []byte, created bool) {
	if f.value {
		c.out = append(c.out, "VA"...)
		c.number(' ', uint64(len(digits)))
	} else {
		c.out = append(c.out, "HD"...)
	}
	now := c.store.now()
	for _, word := range f.words {
		switch word[0] {
		case 'c':
			c.out = append(c.out, ' ')
			c.number('c', it.cas)
		case 't':
			c.out = strconv.AppendInt(append(c.out, " t"...), it.ttl(now), 10)
		case 'T':
			it.expires = f.exptime
		case 'N':
			if created {
				it.expires = f.vivifyExptime
			}
		default:
			c.echoOne(f, word, f.binary)
		}
	}
	if f.value {
		c.block(digits)
		return
	}
	c.out = append(c.out, "\r\n"...)
}

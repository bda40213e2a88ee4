package memcached

import "strconv"

// get answers get and gets.
func (c *session) get(keys [][]byte, withCAS bool) error {
	if len(keys) == 0 {
		c.say(unknown)
		return nil
	}
	return c.retrieve(keys, withCAS, func(s *store, it *item) { s.stats.got(it != nil) })
}

// getAndTouch answers gat and gats.
func (c *session) getAndTouch(args [][]byte, withCAS bool) error {
	if len(args) == 0 {
		c.say(unknown)
		return nil
	}
	exptime, ok := parseInt(args[0])
	if !ok {
		c.say(badExptime)
		return nil
	}
	return c.retrieve(args[1:], withCAS, func(s *store, it *item) {
		s.stats.touched(it != nil)
		if it != nil {
			it.expires = deadline(s.now(), exptime)
		}
	})
}

// retrieve answers with the items that are there. visit sees each, or nil, under
// the store's lock.
func (c *session) retrieve(keys [][]byte, withCAS bool, visit func(*store, *item)) error {
	for _, key := range keys { // before the first answer is sent
		if len(key) > maxKey {
			c.say(badFormat)
			return nil
		}
	}
	for _, key := range keys {
		c.value(key, withCAS, visit)
		if len(c.out) > flushSize {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	c.say("END")
	return nil
}

func (c *session) value(key []byte, withCAS bool, visit func(*store, *item)) {
	s := c.store
	s.Lock()
	defer s.Unlock()
	now := s.now()
	it := s.find(key, now)
	if it != nil {
		s.use(it, now)
	}
	visit(s, it)
	if it == nil {
		return
	}
	c.out = append(append(c.out, "VALUE "...), key...)
	c.number(' ', uint64(it.flags))
	c.number(' ', uint64(len(it.value)))
	if withCAS {
		c.number(' ', it.cas)
	}
	c.block(it.value)
}

// number appends a number after a letter.
func (c *session) number(letter byte, n uint64) {
	c.out = strconv.AppendUint(append(c.out, letter), n, 10)
}

// block ends the line and appends the data.
func (c *session) block(data []byte) {
	c.out = append(append(append(c.out, "\r\n"...), data...), "\r\n"...)
}

// storage does set, add, replace, append, prepend and cas:
//
//	set <key> <flags> <exptime> <bytes> [noreply]
//	cas <key> <flags> <exptime> <bytes> <cas> [noreply]
func (c *session) storage(m mode, args [][]byte) error {
	want := 5
	if m == modeCAS {
		want = 6
	}
	if !c.takes(args, want) {
		c.say(unknown)
		return nil
	}
	c.mute = string(args[len(args)-1]) == "noreply"
	n, ok := parseInt(args[4])
	if !ok || n < 0 || n > maxDataSize {
		c.say(badFormat)
		return nil
	}
	now := c.store.now()
	flags, flagsOK := parseUint(args[2], 32)
	exptime, exptimeOK := parseInt(args[3])
	u := update{mode: m, key: args[1], flags: uint32(flags), expires: deadline(now, exptime)}
	casOK := true
	if m == modeCAS {
		u.cas, casOK = parseUint(args[5], 64)
	}
	if !flagsOK || !exptimeOK || !casOK || len(u.key) > maxKey {
		c.say(badFormat)
		return c.skip(int(n))
	}
	return c.put(u, int(n), func(r result, _ uint64) { c.say(results[r]) })
}

var results = [...]string{stored: "STORED", notStored: "NOT_STORED", exists: "EXISTS", notFound: "NOT_FOUND"}

// put reads the data of a storage command and stores it. answer is called under
// the store's lock.
func (c *session) put(u update, n int, answer func(result, uint64)) error {
	u.key = append(make([]byte, 0, maxKey), u.key...) // the line is gone when the data is read
	s := c.store
	if !s.fits(len(u.key), n) {
		c.say(tooLarge)
		s.tooLarge(u)
		return c.skip(n)
	}
	data, ok, err := c.data(n)
	if err != nil {
		return err
	}
	if !ok {
		c.say(badChunk)
		return nil
	}
	s.Lock()
	defer s.Unlock()
	answer(s.store(u, data, s.now()))
	return nil
}

// tooLarge removes what a set that was refused should have replaced: nobody must
// find the value of before.
func (s *store) tooLarge(u update) {
	s.Lock()
	defer s.Unlock()
	s.stats.tooLarge++
	if it := s.find(u.key, s.now()); it != nil && u.mode == modeSet {
		s.remove(it)
	}
}

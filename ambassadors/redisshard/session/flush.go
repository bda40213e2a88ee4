package session

// Flush makes replies a link.Receiver.
func (r *replies) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
}

// flush writes what is ready, as far as the client takes it at once. It is
// called with mu held, and lets go of it while it writes.
func (r *replies) flush() {
	r.dirty = false
	if r.writing {
		return // whoever writes looks again
	}
	for r.ready != nil && !r.over {
		c := r.take()
		r.mu.Unlock()
		n, err := r.out.conn.TryWrite(c.b)
		r.mu.Lock()
		if err == nil && n < len(c.b) {
			r.slow.Go(func() { r.finish(c, n) })
			return // still writing
		}
		r.wrote(c, err)
	}
}

// take is called with mu held.
func (r *replies) take() *chunk {
	c := r.ready
	r.ready, r.writing, r.sending = nil, true, len(c.b)
	return c
}

// wrote is called with mu held.
func (r *replies) wrote(c *chunk, err error) {
	r.writing = false
	r.release(r.sending)
	r.sending = 0
	c.free()
	if err != nil {
		r.end()
	}
	r.changed.Broadcast()
}

// finish writes the rest of a chunk, and what became ready meanwhile, to a
// client that has to be waited for.
func (r *replies) finish(c *chunk, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		r.mu.Unlock()
		err := r.out.write(c.b[n:], r.o.WriteTimeout)
		r.mu.Lock()
		r.wrote(c, err)
		if r.ready == nil || r.over {
			return
		}
		c, n = r.take(), 0
	}
}

func (r *replies) release(n int) {
	r.stored -= n
	r.o.Memory.add(-n)
}

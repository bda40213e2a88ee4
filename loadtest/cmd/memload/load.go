package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flotilla-dev/flotilla/loadtest/hist"
)

type result struct {
	Ops     uint64  `json:"ops"`
	Errors  uint64  `json:"errors"`
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
	Last    string  `json:"last_error,omitempty"`
}

func run(o options) (result, error) {
	value := bytes.Repeat([]byte{'x'}, o.size)
	if err := fill(o, value); err != nil {
		return result{}, fmt.Errorf("store the keys: %w", err)
	}
	var (
		stop    atomic.Bool
		ops     atomic.Uint64
		failed  atomic.Uint64
		last    atomic.Value
		latency hist.Histogram
		wg      sync.WaitGroup
	)
	begin := time.Now()
	for range o.conns {
		wg.Go(func() {
			n, err := client(o, value, &stop, &latency)
			ops.Add(n)
			if err != nil {
				failed.Add(1)
				last.Store(err.Error())
			}
		})
	}
	time.Sleep(o.duration)
	stop.Store(true)
	wg.Wait()
	r := result{Ops: ops.Load(), Errors: failed.Load(), Seconds: time.Since(begin).Seconds(), P50: micros(latency.Quantile(0.5)), P99: micros(latency.Quantile(0.99))}
	if text, ok := last.Load().(string); ok {
		r.Last = text
	}
	return r, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// fill stores every key once.
func fill(o options, value []byte) error {
	c, err := dial(o.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for first := 0; first < o.keys; first += 100 {
		last := min(first+100, o.keys)
		for k := first; k < last; k++ {
			c.set(k, value)
		}
		if err := c.out.Flush(); err != nil {
			return err
		}
		for range last - first {
			if err := c.stored(); err != nil {
				return err
			}
		}
	}
	return nil
}

// client is one connection in a closed loop.
func client(o options, value []byte, stop *atomic.Bool, latency *hist.Histogram) (ops uint64, err error) {
	c, err := dial(o.addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	r := rand.New(rand.NewPCG(rand.Uint64(), 0))
	sets := make([]bool, o.pipeline)
	for !stop.Load() {
		for i := range sets {
			sets[i] = r.Float64() < o.set
			key := r.IntN(o.keys)
			if sets[i] {
				c.set(key, value)
			} else {
				c.get(key)
			}
		}
		sent := time.Now()
		if err := c.out.Flush(); err != nil {
			return ops, err
		}
		for _, set := range sets {
			err := c.answer(set, value)
			if err != nil {
				return ops, err
			}
			latency.Record(time.Since(sent))
			ops++
		}
	}
	return ops, nil
}

// conn speaks memcached's text protocol.
type conn struct {
	net.Conn
	in  *bufio.Reader
	out *bufio.Writer
}

func dial(addr string) (*conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReaderSize(c, 16<<10), bufio.NewWriterSize(c, 16<<10)}, nil
}

func (c *conn) get(key int) { fmt.Fprintf(c.out, "get key:%012d\r\n", key) }

func (c *conn) set(key int, value []byte) {
	fmt.Fprintf(c.out, "set key:%012d 0 0 %d\r\n", key, len(value))
	_, _ = c.out.Write(value) // an error stays until Flush
	_, _ = c.out.WriteString("\r\n")
}

var errAnswer = errors.New("an answer that was not expected")

func (c *conn) answer(set bool, value []byte) error {
	if set {
		return c.stored()
	}
	head, err := c.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(head, []byte("VALUE key:")) {
		return fmt.Errorf("%w: %.60q", errAnswer, head)
	}
	rest, err := c.in.Peek(len(value) + 2 + len("END\r\n"))
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(rest, value) || !bytes.HasSuffix(rest, []byte("\r\nEND\r\n")) {
		return fmt.Errorf("%w: %.60q", errAnswer, rest)
	}
	_, err = c.in.Discard(len(rest))
	return err
}

func (c *conn) stored() error {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if string(line) != "STORED\r\n" {
		return fmt.Errorf("%w: %.60q", errAnswer, line)
	}
	return nil
}

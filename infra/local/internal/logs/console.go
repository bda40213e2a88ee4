package logs

import (
	"fmt"
	"io"
	"sync"
)

// Console shows the lines of all replicas on one writer. A terminal that is
// held by Ctrl-S must not hold the fleet: lines wait in a bounded queue, and
// those that find it full are dropped and counted.
type Console struct {
	style Style
	out   io.Writer
	lines chan string
	done  chan struct{}

	mu      sync.Mutex // guards all below
	dropped int
	closed  bool
}

const queueLength = 4096

// NewConsole starts showing lines.
func NewConsole(out io.Writer, style Style) *Console {
	c := &Console{style: style, out: out, lines: make(chan string, queueLength), done: make(chan struct{})}
	go c.show()
	return c
}

func (c *Console) show() {
	defer close(c.done)
	for line := range c.lines {
		_, _ = io.WriteString(c.out, line) // nobody looks when this fails
		c.mu.Lock()
		dropped := c.dropped
		c.dropped = 0
		c.mu.Unlock()
		if dropped > 0 {
			fmt.Fprintf(c.out, "… %d lines were not shown; the log files have them\n", dropped)
		}
	}
}

// Observe returns the observer of a replica's lines.
func (c *Console) Observe(name string) func(line []byte) {
	return func(line []byte) { c.put(c.style.Line(name, line)) }
}

// Say shows a line of the runner itself.
func (c *Console) Say(text string) { c.put(text + "\n") }

func (c *Console) put(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	select {
	case c.lines <- line:
	default:
		c.dropped++
	}
}

// Close shows what waits and ends.
func (c *Console) Close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.lines)
	}
	c.mu.Unlock()
	<-c.done
}

package experiments

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// memcachedClient is as much of a memcached client as the experiments need.
type memcachedClient struct {
	conn net.Conn
	in   *bufio.Reader
}

func dialMemcached(ctx context.Context, addr string) (*memcachedClient, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &memcachedClient{conn, bufio.NewReader(conn)}, nil
}

func (c *memcachedClient) close() { _ = c.conn.Close() }

// touch implements keeper.
func (c *memcachedClient) touch(key string, write bool) (failed bool, err error) {
	answer := ""
	if write {
		answer, err = c.set(key, "v")
	} else {
		answer, err = c.get(key)
	}
	return c.isError(answer), err
}

// isError implements keeper.
func (c *memcachedClient) isError(answer string) bool {
	return strings.HasPrefix(answer, "SERVER_ERROR")
}

// setAll implements keeper.
func (c *memcachedClient) setAll(keys []string, value string) error {
	answers, err := c.pipeline(len(keys), func(i int) string { return setCommand(keys[i], value) })
	if err != nil {
		return err
	}
	for i, answer := range answers {
		if answer != "STORED" {
			return fmt.Errorf("set %q: %s", keys[i], answer)
		}
	}
	return nil
}

// getAll implements keeper.
func (c *memcachedClient) getAll(keys []string) ([]string, error) {
	return c.pipeline(len(keys), func(i int) string { return "get " + keys[i] + "\r\n" })
}

func setCommand(key, value string) string {
	return fmt.Sprintf("set %s 0 0 %d\r\n%s\r\n", key, len(value), value)
}

func (c *memcachedClient) set(key, value string) (string, error) {
	return c.do(setCommand(key, value))
}

// get returns the value, "nil" for nothing, or an error's line.
func (c *memcachedClient) get(key string) (string, error) { return c.do("get " + key + "\r\n") }

func (c *memcachedClient) do(command string) (string, error) {
	answers, err := c.pipeline(1, func(int) string { return command })
	if err != nil {
		return "", err
	}
	return answers[0], nil
}

// pipeline sends n commands and returns their answers.
func (c *memcachedClient) pipeline(n int, command func(i int) string) ([]string, error) {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	sent := make(chan error, 1)
	go func() {
		out := bufio.NewWriter(c.conn)
		for i := range n {
			_, _ = out.WriteString(command(i)) // an error stays until Flush
		}
		sent <- out.Flush()
	}()
	answers := make([]string, 0, n)
	for range n {
		a, err := c.read()
		if err != nil {
			c.close() // so that the writer ends
			<-sent
			return nil, fmt.Errorf("answer %d of %d: %w", len(answers)+1, n, err)
		}
		answers = append(answers, a)
	}
	return answers, <-sent
}

// read reads the answer to a get of one key, or a line.
func (c *memcachedClient) read() (string, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	words := strings.Fields(line)
	switch {
	case line == "END":
		return "nil", nil
	case len(words) != 4 || words[0] != "VALUE":
		return line, nil
	}
	size, err := strconv.Atoi(words[3])
	if err != nil {
		return "", fmt.Errorf("length %q: %w", line, err)
	}
	value := make([]byte, size+len("\r\nEND\r\n"))
	if _, err := io.ReadFull(c.in, value); err != nil {
		return "", err
	}
	return string(value[:size]), nil
}

// memcachedConnections asks a memcached how many clients it has, beside the one that asks.
func memcachedConnections(ctx context.Context, addr string) (int, error) {
	n, err := memcachedStat(ctx, addr, "curr_connections")
	return n - 1, err
}

// memcachedStat asks a memcached for one of its numbers.
func memcachedStat(ctx context.Context, addr, name string) (int, error) {
	c, err := dialMemcached(ctx, addr)
	if err != nil {
		return 0, err
	}
	defer c.close()
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(c.conn, "stats\r\n"); err != nil {
		return 0, err
	}
	n := -1
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if strings.HasPrefix(line, "END") {
			break
		}
		if value, found := strings.CutPrefix(strings.TrimSpace(line), "STAT "+name+" "); found {
			if n, err = strconv.Atoi(value); err != nil {
				return 0, err
			}
		}
	}
	if n < 0 {
		return 0, fmt.Errorf("stats of %s do not tell %s", addr, name)
	}
	return n, nil
}

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

// redisClient is as much of a Redis client as the experiments need.
type redisClient struct {
	conn net.Conn
	in   *bufio.Reader
}

// patience bounds a wait for answers: an experiment hangs no longer.
const patience = 30 * time.Second

func dialRedis(ctx context.Context, addr string) (*redisClient, error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &redisClient{conn, bufio.NewReader(conn)}, nil
}

func (c *redisClient) close() { _ = c.conn.Close() }

// do sends one command and returns its answer: the value of a bulk string, else
// the line with its type, "nil" for nothing.
func (c *redisClient) do(words ...string) (string, error) {
	answers, err := c.pipeline(1, func(int) []string { return words })
	if err != nil {
		return "", err
	}
	return answers[0], nil
}

// touch implements keeper.
func (c *redisClient) touch(key string, write bool) (failed bool, err error) {
	words := []string{"GET", key}
	if write {
		words = []string{"SET", key, "v"}
	}
	answer, err := c.do(words...)
	return c.isError(answer), err
}

// isError implements keeper.
func (c *redisClient) isError(answer string) bool { return strings.HasPrefix(answer, "-") }

// setAll implements keeper.
func (c *redisClient) setAll(keys []string, value string) error {
	answers, err := c.pipeline(len(keys), func(i int) []string { return []string{"SET", keys[i], value} })
	if err != nil {
		return err
	}
	for i, answer := range answers {
		if answer != "+OK" {
			return fmt.Errorf("SET %q: %s", keys[i], answer)
		}
	}
	return nil
}

// getAll implements keeper.
func (c *redisClient) getAll(keys []string) ([]string, error) {
	return c.pipeline(len(keys), func(i int) []string { return []string{"GET", keys[i]} })
}

// pipeline sends n commands and returns their answers.
func (c *redisClient) pipeline(n int, command func(i int) []string) ([]string, error) {
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	sent := make(chan error, 1)
	go func() {
		out := bufio.NewWriter(c.conn)
		for i := range n {
			words := command(i)
			fmt.Fprintf(out, "*%d\r\n", len(words))
			for _, w := range words {
				fmt.Fprintf(out, "$%d\r\n%s\r\n", len(w), w)
			}
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

func (c *redisClient) read() (string, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" || line[0] != '$' {
		return line, nil
	}
	size, err := strconv.Atoi(line[1:])
	if err != nil {
		return "", fmt.Errorf("length %q: %w", line, err)
	}
	if size < 0 {
		return "nil", nil
	}
	value := make([]byte, size+2)
	if _, err := io.ReadFull(c.in, value); err != nil {
		return "", err
	}
	return string(value[:size]), nil
}

package memtest

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// item is a value under a key.
type item struct {
	value, flags string
	cas          uint64
}

// block reads the data block of a storage command.
func block(in *bufio.Reader, line string) (string, error) {
	words := strings.Fields(line)
	at := 4
	if len(words) > 0 && words[0] == "ms" {
		at = 2
	}
	if len(words) <= at || !slices.Contains([]string{"set", "add", "replace", "append", "prepend", "cas", "ms"}, words[0]) {
		return "", nil
	}
	n, err := strconv.Atoi(words[at])
	if err != nil {
		return "", err
	}
	data := make([]byte, n+2)
	_, err = io.ReadFull(in, data)
	return string(data[:n]), err
}

func (s *Server) put(key string, it item) {
	s.cas++
	it.cas = s.cas
	s.store[key] = it
}

// execute does a command, with mu held.
func (s *Server) execute(words []string, data string) string {
	if len(words) == 0 {
		return "ERROR\r\n"
	}
	switch words[0] {
	case "get", "gets":
		return s.get(words[1:], words[0] == "gets")
	case "gat", "gats":
		return s.get(words[2:], words[0] == "gats")
	case "set", "add", "replace", "append", "prepend":
		return s.store1(words[0], words[1], item{value: data, flags: words[2]})
	case "cas":
		return s.compare(words[1], words[5], item{value: data, flags: words[2]})
	case "delete":
		return s.found(words[1], "DELETED", func() { delete(s.store, words[1]) })
	case "touch":
		return s.found(words[1], "TOUCHED", func() {})
	case "incr", "decr":
		return s.count1(words[1], words[2], words[0] == "decr")
	case "flush_all":
		clear(s.store)
		return "OK\r\n"
	case "version":
		return "VERSION 1.6.18\r\n"
	case "mg", "ms", "md", "ma":
		return s.meta(words, data)
	}
	return "ERROR\r\n"
}

func (s *Server) get(keys []string, withCAS bool) string {
	var b strings.Builder
	for _, key := range keys {
		it, ok := s.store[key]
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "VALUE %s %s %d", key, it.flags, len(it.value))
		if withCAS {
			fmt.Fprintf(&b, " %d", it.cas)
		}
		fmt.Fprintf(&b, "\r\n%s\r\n", it.value)
	}
	return b.String() + "END\r\n"
}

func (s *Server) store1(mode, key string, it item) string {
	old, exists := s.store[key]
	if mode == "add" && exists || mode != "add" && mode != "set" && !exists {
		return "NOT_STORED\r\n"
	}
	switch mode {
	case "append":
		it = item{value: old.value + it.value, flags: old.flags}
	case "prepend":
		it = item{value: it.value + old.value, flags: old.flags}
	}
	s.put(key, it)
	return "STORED\r\n"
}

func (s *Server) compare(key, cas string, it item) string {
	old, exists := s.store[key]
	switch {
	case !exists:
		return "NOT_FOUND\r\n"
	case fmt.Sprint(old.cas) != cas:
		return "EXISTS\r\n"
	}
	s.put(key, it)
	return "STORED\r\n"
}

func (s *Server) found(key, answer string, do func()) string {
	if _, ok := s.store[key]; !ok {
		return "NOT_FOUND\r\n"
	}
	do()
	return answer + "\r\n"
}

func (s *Server) count1(key, delta string, down bool) string {
	it, ok := s.store[key]
	if !ok {
		return "NOT_FOUND\r\n"
	}
	n, err := strconv.ParseUint(it.value, 10, 64)
	d, _ := strconv.ParseUint(delta, 10, 64)
	switch {
	case err != nil:
		return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"
	case down:
		n -= min(d, n)
	default:
		n += d
	}
	it.value = strconv.FormatUint(n, 10)
	s.put(key, it)
	return it.value + "\r\n"
}

// meta does the meta commands with the flags v, k, O, c, C, M and D.
func (s *Server) meta(words []string, data string) string {
	key, flags := words[1], words[2:]
	if words[0] == "ms" {
		flags = words[3:]
	}
	token := func(letter string) string {
		for _, f := range flags {
			if f[:1] == letter {
				return f[1:]
			}
		}
		return ""
	}
	old, exists := s.store[key]
	code, value := "HD", ""
	switch cas := token("C"); {
	case words[0] == "mg" && !exists:
		code = "EN"
	case words[0] == "mg" && slices.Contains(flags, "v"):
		code, value = fmt.Sprintf("VA %d", len(old.value)), old.value+"\r\n"
	case cas != "" && !exists:
		code = "NF"
	case cas != "" && cas != fmt.Sprint(old.cas):
		code = "EX"
	case words[0] == "ms":
		mode := map[string]string{"": "set", "S": "set", "E": "add", "A": "append", "P": "prepend", "R": "replace"}[token("M")]
		if s.store1(mode, key, item{value: data, flags: "0"}) != "STORED\r\n" {
			code = "NS"
		}
	case !exists:
		code = "NF"
	case words[0] == "md":
		delete(s.store, key)
	case words[0] == "ma":
		delta := token("D")
		if delta == "" {
			delta = "1"
		}
		n := strings.TrimSpace(s.count1(key, delta, token("M") == "D"))
		code, value = fmt.Sprintf("VA %d", len(n)), n+"\r\n"
	}
	for _, f := range flags {
		switch f[0] {
		case 'k':
			code += " k" + key
		case 'O':
			code += " " + f
		case 'c':
			code += fmt.Sprintf(" c%d", s.store[key].cas)
		}
	}
	return code + "\r\n" + value
}

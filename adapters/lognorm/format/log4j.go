package format

import (
	"bytes"

	"github.com/flotilla-dev/flotilla/adapters/lognorm/record"
)

// Log4j reads the patterns that log4j 1 and 2, logback and what is built on them
// use by default or in their documentation:
//
//	10:11:12.123 [main] ERROR com.example.Main - a message
//	2024-03-05 10:11:12,123 [main] ERROR com.example.Main - a message
//	2024-03-05 10:11:12,123 ERROR [main] com.example.Main: a message
//	2024-03-05 10:11:12 ERROR Main:42 - a message
//	2024-03-05 10:11:12,123 ERROR [main] server.Main (Main.java:run(42)) - a message
//	2024-03-05T10:11:12.123+01:00 ERROR 123 --- [main] c.e.Main : a message
//	2024-03-05 10:11:12.123 o.e.Main main [ERROR] a message
//	[2024-03-05 10:11:12,123] ERROR a message (com.example.Main)
//	176 [main] ERROR com.example.Main - a message
//	ERROR - a message
//
// What tells them is a time, or one of the last two beginnings, and a level in
// its place. What is between the level and the message is taken apart only when
// a separator ends it; otherwise all of it is the message.
func Log4j(e *Env, line []byte, r *record.Record) bool {
	c := cursor{line, 0}
	first := c.peek()
	switch {
	case isDigit(first):
		return timed(e, &c, r)
	case first == '[':
		return bracketed(e, &c, r)
	case first >= 'A' && first <= 'Z': // ERROR - a message
		return setWord(r, c.word()) && c.text(" - ") && message(&c, r)
	}
	return false
}

// timed reads what begins with a time, or with the milliseconds since a start.
func timed(e *Env, c *cursor, r *record.Record) bool {
	if at, ok := c.dateTime(e); ok {
		r.Time = at
		return c.spaces() && levelled(c, r)
	}
	c.i = 0
	var t civil
	if c.clockTime(&t) && t.hour <= 23 && t.minute <= 59 && t.second <= 60 {
		r.Time = e.zone.at(e.today(t))
		return c.spaces() && levelled(c, r)
	}
	c.i = 0
	elapsed, ok := c.digits(15)
	if !ok || !c.text(" [") {
		return false
	}
	thread, ok := c.until(']')
	if !ok || !c.spaces() || !setWord(r, c.word()) || !c.spaces() {
		return false
	}
	r.Add("log4j.elapsed_ms", record.Int(elapsed))
	r.Text("thread.name", thread)
	r.Scope = c.word()
	n := bytes.Index(c.rest(), []byte(" - ")) // what is before it is the nested context
	if n < 0 || !isLogger(r.Scope) {
		return false
	}
	r.Text("log4j.context", bytes.TrimSpace(c.rest()[:n]))
	c.i += n + len(" - ")
	return message(c, r)
}

// bracketed reads [2024-03-05 10:11:12,123] ERROR a message (com.example.Main).
func bracketed(e *Env, c *cursor, r *record.Record) bool {
	c.i++
	at, ok := c.dateTime(e)
	if !ok || !c.take(']') || !c.spaces() || !setWord(r, c.word()) || !c.spaces() {
		return false
	}
	r.Time = at
	body := c.rest()
	if open := bytes.LastIndex(body, []byte(" (")); open > 0 && body[len(body)-1] == ')' && isLogger(body[open+2:len(body)-1]) {
		r.Scope = body[open+2 : len(body)-1]
		body = body[:open]
	}
	r.Body = record.Text(body)
	return true
}

// levelled reads what follows a time: the level, perhaps after a thread and a
// logger, and the rest.
func levelled(c *cursor, r *record.Record) bool {
	if c.take('-') { // time - logger - level - message, as Python's documentation has it
		c.spaces()
		r.Scope = c.word()
		return c.text(" - ") && setWord(r, c.word()) && c.text(" - ") && message(c, r)
	}
	for range 2 { // [thread] or [context], or [level]
		if c.peek() != '[' {
			break
		}
		c.i++
		inside, ok := c.until(']')
		if !ok {
			return false
		}
		if setLevelWord(r, bytes.TrimSpace(inside)) {
			c.spaces()
			return rest(c, r)
		}
		addThread(r, inside)
		c.spaces()
		if c.text("- ") {
			c.spaces()
		}
	}
	first := c.word()
	if setWord(r, first) {
		c.spaces()
		return rest(c, r)
	}
	// logger thread [level] message
	if bytes.IndexByte(first, '.') < 0 || !isLogger(first) || !c.take(' ') {
		return false
	}
	thread, ok := c.until('[')
	if !ok || len(thread) < 2 || len(thread) > 64 || thread[len(thread)-1] != ' ' {
		return false
	}
	inside, ok := c.until(']')
	if !ok || !setLevelWord(r, inside) {
		return false
	}
	r.Scope = first
	addThread(r, thread[:len(thread)-1])
	c.take(' ')
	return message(c, r)
}

// rest reads [thread] logger (location) and a separator, in so far as they are
// there, and the message.
func rest(c *cursor, r *record.Record) bool {
	from, before := c.i, len(r.Attrs)
	if pid, ok := c.digits(10); ok && c.text(" --- ") {
		r.Add("process.pid", record.Int(pid))
	} else {
		c.i = from
	}
	for range 2 {
		if c.peek() != '[' {
			break
		}
		c.i++
		inside, ok := c.until(']')
		if !ok {
			break
		}
		addThread(r, inside)
		c.spaces()
	}
	if separator(c) {
		return message(c, r)
	}
	logger := c.word()
	if plain, colon := bytes.CutSuffix(logger, []byte{':'}); colon && isLogger(plain) {
		r.Scope = plain
		c.take(' ')
		return message(c, r)
	}
	c.spaces()
	var location []byte
	if c.peek() == '(' {
		if n := bytes.Index(c.rest(), []byte(") ")); n > 0 {
			location = c.s[c.i+1 : c.i+n]
			c.i += n + 1
			c.spaces()
		}
	}
	if !isLogger(logger) || !separator(c) {
		c.i = from
		r.Attrs = r.Attrs[:before]
		return message(c, r)
	}
	setLogger(r, logger)
	r.Text("log4j.location", location)
	return message(c, r)
}

// separator passes "- ", "-- " or ": ".
func separator(c *cursor) bool { return c.text("- ") || c.text(": ") || c.text("-- ") }

// setLogger takes the line number off a logger: Main:42.
func setLogger(r *record.Record, logger []byte) {
	if at := bytes.LastIndexByte(logger, ':'); at > 0 {
		if line, ok := integer(logger[at+1:]); ok {
			r.Add("code.line.number", record.Int(line))
			logger = logger[:at]
		}
	}
	r.Scope = logger
}

func message(c *cursor, r *record.Record) bool {
	r.Body = record.Text(c.rest())
	return true
}

// setWord takes a word as the level, if it is one in capitals.
func setWord(r *record.Record, word []byte) bool {
	if len(word) < 3 || word[0] < 'A' || word[0] > 'Z' || word[1] < 'A' || word[1] > 'Z' {
		return false
	}
	return setLevelWord(r, word)
}

func setLevelWord(r *record.Record, word []byte) bool {
	severity, known := record.ParseLevel(word)
	if known {
		r.Severity, r.Level = severity, word
	}
	return known
}

// addThread keeps what was in brackets: the last of them is the thread, one
// before it a context.
func addThread(r *record.Record, inside []byte) {
	for i := range r.Attrs {
		if r.Attrs[i].Name == "thread.name" {
			r.Attrs[i].Name = "log4j.context"
		}
	}
	r.Text("thread.name", bytes.TrimSpace(inside))
}

// isLogger tells whether a word can be the name of a logger, as classes are.
func isLogger(word []byte) bool {
	if len(word) == 0 || len(word) > 200 || !isLetter(word[0]) && word[0] != '_' {
		return false
	}
	for _, b := range word {
		if !isLetter(b) && !isDigit(b) && b != '.' && b != '_' && b != '$' && b != '-' && b != ':' && b != '/' && b < 0x80 {
			return false
		}
	}
	return true
}

// Package fronttest has the requests that every gateway has to refuse, for the tests of
// each.
package fronttest

import "strings"

// A Refused is a request as it is sent, and the status that it gets.
type Refused struct {
	Raw    string
	Status int
}

// Ambiguous are requests that two programs could read in two ways, or that a gateway does
// not pass on, by name. host is one that the gateway serves. Every answer is a problem, and after a
// 400 the connection is closed: what follows on it may be anything.
func Ambiguous(name string) map[string]Refused {
	host := "Host: " + name + "\r\n"
	return map[string]Refused{
		"length and coding":      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"coding and length":      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
		"two lengths":            {"POST / HTTP/1.1\r\n" + host + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400},
		"same length twice":      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 400},
		"list of lengths":        {"POST / HTTP/1.1\r\n" + host + "Content-Length: 4, 4\r\n\r\nabcd", 400},
		"signed length":          {"POST / HTTP/1.1\r\n" + host + "Content-Length: +4\r\n\r\nabcd", 400},
		"hex length":             {"POST / HTTP/1.1\r\n" + host + "Content-Length: 0x4\r\n\r\nabcd", 400},
		"coding twice":           {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501},
		"unknown coding":         {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
		"coding with a tab":      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400},
		"coding in HTTP/1.0":     {"POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		"folded field":           {"GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", 400},
		"space before colon":     {"GET / HTTP/1.1\r\n" + host + "Content-Length : 4\r\n\r\n", 400},
		"space before first":     {"GET / HTTP/1.1\r\n X: a\r\n" + host + "\r\n", 400},
		"bare LF":                {"GET / HTTP/1.1\n" + host + "\r\n", 400},
		"only bare LF":           {"GET / HTTP/1.1\nHost: " + name + "\n\n", 400},
		"CR in a value":          {"GET / HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n", 400},
		"NUL in a value":         {"GET / HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n", 400},
		"no host":                {"GET / HTTP/1.1\r\n\r\n", 400},
		"two hosts":              {"GET / HTTP/1.1\r\n" + host + host + "\r\n", 400},
		"bad host":               {"GET / HTTP/1.1\r\nHost: " + name + "/x\r\n\r\n", 400},
		"bad method":             {"G(T / HTTP/1.1\r\n" + host + "\r\n", 400},
		"two spaces":             {"GET /a b HTTP/1.1\r\n" + host + "\r\n", 400},
		"control in the target":  {"GET /\x01 HTTP/1.1\r\n" + host + "\r\n", 400},
		"fragment in the target": {"GET /#a HTTP/1.1\r\n" + host + "\r\n", 400},
		"relative target":        {"GET a HTTP/1.1\r\n" + host + "\r\n", 400},
		"version 2.0":            {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		"version 1.2":            {"GET / HTTP/1.2\r\n" + host + "\r\n", 505},
		"no version":             {"GET /\r\n\r\n", 400},
		"CONNECT":                {"CONNECT " + name + ":443 HTTP/1.1\r\n" + host + "\r\n", 405},
		"TRACE":                  {"TRACE / HTTP/1.1\r\n" + host + "\r\n", 405},
		"unknown expectation":    {"POST / HTTP/1.1\r\n" + host + "Expect: wonders\r\nContent-Length: 1\r\n\r\na", 417},
		"head too long":          {"GET / HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", 431},
		"too many fields":        {"GET / HTTP/1.1\r\n" + host + strings.Repeat("X: a\r\n", 200) + "\r\n", 431},
		"target too long":        {"GET /" + strings.Repeat("a", 9<<10) + " HTTP/1.1\r\n" + host + "\r\n", 414},
	}
}

// BadChunks are bodies that begin in chunks and go wrong, by name. Each is answered with 400
// and the end of the connection.
func BadChunks() map[string]string {
	return map[string]string{
		"no size":            "\r\nabc\r\n0\r\n\r\n",
		"bad size":           "zz\r\nabc\r\n0\r\n\r\n",
		"size with a sign":   "+3\r\nabc\r\n0\r\n\r\n",
		"size with 0x":       "0x3\r\nabc\r\n0\r\n\r\n",
		"size too large":     "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
		"bare LF":            "3\nabc\r\n0\r\n\r\n",
		"data too long":      "3\r\nabcd\r\n0\r\n\r\n",
		"bare CR":            "3\rabc\r\n0\r\n\r\n",
		"extension with LF":  "3;a\nb\r\nabc\r\n0\r\n\r\n",
		"malformed trailers": "3\r\nabc\r\n0\r\nnot a field\r\n\r\n",
	}
}

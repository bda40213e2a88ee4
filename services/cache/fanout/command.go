package fanout

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a command.
const (
	maxURL  = 8 << 10
	maxBan  = 1 << 10
	maxKeys = 256
	maxKey  = 256
	maxHost = 300
)

// Command says what is to be forgotten: exactly one of URL, Ban and Keys is set.
type Command struct {
	URL  string   `json:"url,omitempty"`  // one resource: absolute (http or https), or a path with its query
	Ban  string   `json:"ban,omitempty"`  // all whose URL matches the pattern, in the cache's syntax
	Keys []string `json:"keys,omitempty"` // all that carry one of these surrogate keys
	Host string   `json:"host,omitempty"` // of a path; or the only host that a ban or keys are for
}

// kind is the command's label.
func (c Command) kind() string {
	switch {
	case c.URL != "":
		return "url"
	case c.Ban != "":
		return "ban"
	}
	return "keys"
}

// Validate names every mistake.
func (c Command) Validate() error {
	var wrong []error
	set := 0
	if c.URL != "" {
		set++
		if err := checkURL(c.URL); err != nil {
			wrong = append(wrong, fmt.Errorf("url: %w", err))
		}
	}
	if c.Ban != "" {
		set++
		switch {
		case len(c.Ban) > maxBan:
			wrong = append(wrong, fmt.Errorf("ban: longer than %d bytes", maxBan))
		case !plain(c.Ban):
			wrong = append(wrong, errors.New("ban: want UTF-8 without control characters"))
		}
	}
	if c.Keys != nil {
		set++
		if len(c.Keys) == 0 || len(c.Keys) > maxKeys {
			wrong = append(wrong, fmt.Errorf("keys: %d of them, want 1 to %d", len(c.Keys), maxKeys))
		}
		for i, key := range c.Keys {
			if key == "" || len(key) > maxKey || !plain(key) || strings.ContainsAny(key, " ,") {
				wrong = append(wrong, fmt.Errorf("keys[%d]: want 1 to %d bytes without space, comma or control character", i, maxKey))
			}
		}
	}
	if len(c.Host) > maxHost || !plain(c.Host) || strings.ContainsAny(c.Host, " /?#@,") {
		wrong = append(wrong, errors.New("host: want a name or address, with its port if it has one"))
	}
	if c.Host != "" && c.URL != "" && !strings.HasPrefix(c.URL, "/") {
		wrong = append(wrong, errors.New("host: the url names one already"))
	}
	if set != 1 {
		wrong = append(wrong, errors.New("want exactly one of url, ban and keys"))
	}
	return errors.Join(wrong...)
}

func checkURL(s string) error {
	if len(s) > maxURL {
		return fmt.Errorf("longer than %d bytes", maxURL)
	}
	u, err := url.Parse(s)
	if err != nil || !plain(s) || strings.ContainsAny(s, " #") {
		return errors.New("not a URL without fragment")
	}
	if u.Scheme == "" && strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") {
		return nil
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.Opaque != "" {
		return errors.New("want http://host/path, https://host/path or /path")
	}
	return nil
}

func plain(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// version of the body of a record. A replica flushes at one that it does not know.
const version = 1

// body is a record's content.
type body struct {
	Version int    `json:"v"`
	By      string `json:"by,omitempty"` // the replica that recorded it
	Command
}

func encode(c Command, by string) (string, error) {
	b, err := json.Marshal(body{Version: version, By: by, Command: c})
	if err != nil {
		return "", fmt.Errorf("encode command: %w", err)
	}
	return string(b), nil
}

// decode reads a record; an error means that its effect is unknown.
func decode(text string) (body, error) {
	var b body
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return body{}, fmt.Errorf("decode command: %w", err)
	}
	if b.Version != version {
		return body{}, fmt.Errorf("decode command: version %d, this replica knows %d", b.Version, version)
	}
	if err := b.Validate(); err != nil {
		return body{}, fmt.Errorf("decode command: %w", err)
	}
	return b, nil
}

package rfc9111

import "strings"

// Unsafe reports whether a method may change the resource (RFC 9110 9.2.1): every one not known as safe.
func Unsafe(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return false
	}
	return true
}

// Invalidates lists the targets (path and query, on the same host) that a response to an unsafe method
// makes invalid (RFC 9111 4.4): the request target, and Location and Content-Location where they are on the
// same origin. An error response invalidates nothing.
func Invalidates(method, host, target string, status int, response Header) []string {
	if !Unsafe(method) || status < 200 || status >= 400 {
		return nil
	}
	targets := []string{target}
	for _, name := range [...]string{"Location", "Content-Location"} {
		if t, ok := sameOrigin(response.Get(name), host, target); ok && t != target {
			targets = append(targets, t)
		}
	}
	return targets
}

// sameOrigin resolves a reference against the request and returns its path and query if it stays on host.
func sameOrigin(ref, host, target string) (string, bool) {
	ref, _, _ = strings.Cut(trimOWS(ref), "#")
	if ref == "" {
		return "", false
	}
	if rest, ok := cutScheme(ref); ok {
		return cutHost(rest, host)
	}
	if rest, ok := strings.CutPrefix(ref, "//"); ok {
		return cutHost(rest, host)
	}
	if strings.Contains(strings.SplitN(ref, "/", 2)[0], ":") {
		return "", false // another scheme, such as mailto:
	}
	if ref[0] == '/' {
		return resolveDots(ref), true
	}
	path, _, _ := strings.Cut(target, "?")
	if ref[0] == '?' {
		return path + ref, true
	}
	return resolveDots(path[:strings.LastIndexByte(path, '/')+1] + ref), true
}

func cutScheme(ref string) (string, bool) {
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(ref) > len(scheme) && strings.EqualFold(ref[:len(scheme)], scheme) {
			return ref[len(scheme):], true
		}
	}
	return "", false
}

// cutHost compares the authority without a default port.
func cutHost(rest, host string) (string, bool) {
	authority, path := rest, "/"
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	if !strings.EqualFold(withoutDefaultPort(authority), withoutDefaultPort(host)) {
		return "", false
	}
	if path[0] == '?' {
		path = "/" + path
	}
	return resolveDots(path), true
}

func withoutDefaultPort(authority string) string {
	authority = strings.TrimSuffix(authority, ":443")
	return strings.TrimSuffix(authority, ":80")
}

// resolveDots removes "." and ".." segments of the path, as reference resolution does (RFC 3986 5.2.4).
func resolveDots(target string) string {
	path, query, hasQuery := strings.Cut(target, "?")
	if strings.Contains(path, "/.") {
		var out []string
		segments := strings.Split(path, "/")[1:]
		for i, s := range segments {
			last := i == len(segments)-1
			switch s {
			case ".", "..":
				if s == ".." && len(out) > 0 {
					out = out[:len(out)-1]
				}
				if last {
					out = append(out, "")
				}
			default:
				out = append(out, s)
			}
		}
		path = "/" + strings.Join(out, "/")
	}
	if hasQuery {
		return path + "?" + query
	}
	return path
}

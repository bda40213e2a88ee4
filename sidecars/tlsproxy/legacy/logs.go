package legacy

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A logFile is appended to. Whoever renames it sends SIGHUP, so that a new one is
// begun; one that nobody renames renames itself when it is large.
type logFile struct {
	path string
	max  int64

	mu   sync.Mutex // guards all below
	f    *os.File
	size int64
}

func openLog(path string, max int64) (*logFile, error) {
	l := &logFile{path: path, max: max}
	return l, l.reopen()
}

// reopen goes on in the file that has the name now.
func (l *logFile) reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open()
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close() // nothing was written
		return fmt.Errorf("open log: %w", err)
	}
	if l.f != nil {
		_ = l.f.Close() // it was written without a buffer
	}
	l.f, l.size = f, info.Size()
	return nil
}

// Write appends a line.
func (l *logFile) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(line)) > l.max {
		if err := l.turn(); err != nil {
			return 0, err
		}
	}
	n, err := l.f.Write(line)
	l.size += int64(n)
	return n, err
}

func (l *logFile) turn() error {
	if err := os.Rename(l.path, l.path+".1"); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("rename log: %w", err)
	}
	return l.open()
}

func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.f.Close() // it was written without a buffer
}

func (a *application) openLogs() error {
	a.log = os.Stderr
	if a.cfg.LogDir == "" {
		return nil
	}
	var err error
	if a.own, err = openLog(filepath.Join(a.cfg.LogDir, "legacy.log"), int64(a.cfg.LogMax)); err != nil {
		return err
	}
	a.log = a.own
	if a.access, err = openLog(filepath.Join(a.cfg.LogDir, "access.log"), int64(a.cfg.LogMax)); err != nil {
		a.own.close()
	}
	return err
}

func (a *application) closeLogs() {
	if a.own != nil {
		a.own.close()
		a.access.close()
	}
}

// logf writes a line as glog does:
//
//	I1125 15:04:05.000001   42 legacy.go:97] configuration read
func (a *application) logf(severity byte, format string, args ...any) {
	_, file, line, _ := runtime.Caller(1)
	head := fmt.Sprintf("%c%s %4d %s:%d] ", severity, time.Now().Format("0102 15:04:05.000000"), os.Getpid(), filepath.Base(file), line)
	_, _ = a.log.Write([]byte(head + fmt.Sprintf(format, args...) + "\n")) // there is nowhere else to complain
}

// combined writes a request as Apache's combined format does:
//
//	127.0.0.1 - - [25/Nov/2026:15:04:05 +0000] "GET / HTTP/1.1" 200 27 "-" "curl/8.14.1"
//
// The address is that of the peer. Behind a proxy that is the proxy: the old
// application does not know of X-Forwarded-For.
func combined(r *http.Request, status, sent int) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	bytes := "-"
	if sent > 0 {
		bytes = strconv.Itoa(sent)
	}
	return fmt.Sprintf("%s - - [%s] \"%s %s %s\" %d %s \"%s\" \"%s\"\n", host, time.Now().Format("02/Jan/2006:15:04:05 -0700"),
		escape(r.Method), escape(r.RequestURI), r.Proto, status, bytes, escape(dash(r.Referer())), escape(dash(r.UserAgent())))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// escape keeps what a client sent inside its quotes and on its line, by the
// escapes that Apache uses.
func escape(s string) string {
	var out strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&out, `\x%02x`, c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

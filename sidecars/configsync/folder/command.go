package folder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Rejected is why content was not accepted, in words for whoever sent it.
type Rejected struct {
	reason  string
	passing bool // another look may accept it
}

func (r *Rejected) Error() string { return r.reason }

// Command is a program that checks a file: it accepts by exit status 0. The word
// {} in it stands for the path of the file; without one the path comes last. There
// is no shell in between. The zero value accepts everything.
type Command struct {
	Words   []string
	Timeout time.Duration
}

// maxReason bounds what is told of a program's complaint.
const maxReason = 500

func (c Command) check(ctx context.Context, file string) error {
	if len(c.Words) == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	args, placed := []string{}, false
	for _, word := range c.Words[1:] {
		placed = placed || strings.Contains(word, "{}")
		args = append(args, strings.ReplaceAll(word, "{}", file))
	}
	if !placed {
		args = append(args, file)
	}
	cmd := exec.CommandContext(limited, c.Words[0], args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	complaint := &bounded{}
	cmd.Stdout, cmd.Stderr = complaint, complaint
	cmd.WaitDelay = time.Second
	// The end of the command is the end of what it has started.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	var refused *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return &Rejected{reason: fmt.Sprintf("the check took longer than %s", c.Timeout), passing: true}
	case errors.As(err, &refused):
		return &Rejected{reason: "the check refuses it: " + complaint.line(file)}
	}
	return fmt.Errorf("check: %w", err)
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if room := maxReason - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))]) // never fails, by its documentation
	}
	return len(p), nil
}

// line is the complaint on one line of text, without the name that the file has
// only now.
func (b *bounded) line(file string) string {
	text := strings.ToValidUTF8(strings.ReplaceAll(b.String(), file, "it"), "�")
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' }), " ")
}

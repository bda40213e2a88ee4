package certs

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"log/slog"
	"time"

	"github.com/flotilla-dev/flotilla/internal/watch"
)

// TicketPeriod is how long one session ticket key encrypts new tickets.
const TicketPeriod = 12 * time.Hour

// ticketKept is how many older keys still decrypt: tickets live for a day.
const ticketKept = 2

// minTicketSecret is the least entropy that a shared secret must bring.
const minTicketSecret = 32

// Tickets lets several processes behind one address resume each other's
// sessions. All read the same secret file; the key of every period is derived
// from the secret and the number of the period, so that keys rotate everywhere
// at the same time and nobody has to distribute them.
//
// Without a file the secret is random and the process's own. That is what
// crypto/tls does by itself, but for configs that are cloned per connection, as
// QUIC does: their own keys would not rotate.
//
// Whoever holds the secret can decrypt TLS 1.2 sessions that were resumed under
// it. Replace the file (it is watched) as often as that thought demands.
type Tickets struct {
	file    string
	configs []*tls.Config
	now     func() time.Time
	secret  []byte
}

// OpenTickets reads the secret (any 32 bytes or more; with an empty name it is
// made up) and sets the keys of the configs. Run keeps them rotating. A config must be used itself, not a clone
// that was made before: a clone keeps the keys it was cloned with.
func OpenTickets(file string, configs ...*tls.Config) (*Tickets, error) {
	t := &Tickets{file: file, configs: configs, now: time.Now}
	secret, err := readSecret(file)
	if err != nil {
		return nil, fmt.Errorf("load ticket secret: %w", err)
	}
	if err := t.use(secret); err != nil {
		return nil, err
	}
	return t, nil
}

func readSecret(file string) ([]byte, error) {
	if file != "" {
		return watch.Read(file)
	}
	secret := make([]byte, minTicketSecret)
	_, err := rand.Read(secret)
	return secret, err
}

func (t *Tickets) use(secret []byte) error {
	if len(secret) < minTicketSecret {
		return fmt.Errorf("load ticket secret: %s holds %d bytes, at least %d are needed", t.file, len(secret), minTicketSecret)
	}
	t.secret = secret
	return t.rotate()
}

// Run rotates the keys and follows the file until ctx is done.
func (t *Tickets) Run(ctx context.Context, log *slog.Logger) {
	contents := make(chan []byte)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if t.file == "" {
			return
		}
		watch.File(ctx, t.file, t.secret, func(b []byte) {
			select {
			case contents <- b:
			case <-ctx.Done():
			}
		})
	}()
	defer func() { <-stopped }()
	for {
		next := time.NewTimer(t.untilNext())
		var err error
		select {
		case <-ctx.Done():
			next.Stop()
			return
		case <-next.C:
			err = t.rotate()
		case b := <-contents:
			next.Stop()
			err = t.use(b)
		}
		if err != nil {
			log.Warn("session ticket keys not changed, the old ones stay", "error", err)
		}
	}
}

func (t *Tickets) untilNext() time.Duration {
	now := t.now()
	return now.Truncate(TicketPeriod).Add(TicketPeriod).Sub(now)
}

// rotate installs the key of this period for new tickets, and for decryption
// those before it and the next one, which a process whose clock is ahead uses.
func (t *Tickets) rotate() error {
	keys, err := t.keys()
	if err != nil {
		return err
	}
	for _, c := range t.configs {
		c.SetSessionTicketKeys(keys)
	}
	return nil
}

func (t *Tickets) keys() ([][32]byte, error) {
	period := t.now().Unix() / int64(TicketPeriod/time.Second)
	keys := make([][32]byte, 0, ticketKept+2)
	for _, p := range []int64{period, period + 1, period - 1, period - 2} {
		key, err := ticketKey(t.secret, p)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func ticketKey(secret []byte, period int64) (key [32]byte, err error) {
	info := binary.BigEndian.AppendUint64([]byte("flotilla session ticket "), uint64(period))
	derived, err := hkdf.Key(sha256.New, secret, nil, string(info), len(key))
	if err != nil {
		return key, fmt.Errorf("derive ticket key: %w", err)
	}
	copy(key[:], derived)
	return key, nil
}

package limit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/flotilla-dev/flotilla/internal/watch"
)

// The bounds of tokens.
const (
	maxToken   = 4 << 10 // bytes
	maxSubject = 256     // bytes
)

// VerifierOptions configure a Verifier.
type VerifierOptions struct {
	// KeyFile holds one or two Ed25519 public keys as PEM, and is watched: to change the key, first add the new
	// one, then sign with it, then remove the old one. The file is the truth: a key that is not in it is not
	// believed any longer.
	KeyFile  string
	Audience string        // that a token must be for
	Issuer   string        // that a token must be from; empty: any
	Leeway   time.Duration // by which clocks may differ
	// Remembered bounds the verified tokens that are kept, by digest; 0 is 16384.
	Remembered int
	// PerSecond bounds the signatures that are verified, some 50 µs each: tokens past it are not believed, so
	// that a flood of forged ones takes no more than that; 0 is 2000.
	PerSecond int
	Log       *slog.Logger
	Metrics   prometheus.Registerer
}

// Verifier tells who is logged in, from a signed token (JWT, EdDSA only) and without asking anybody.
type Verifier struct {
	o      VerifierOptions
	parser *jwt.Parser
	seen   []byte // the key file as it was read first
	state  atomic.Pointer[verifierState]
	budget budget
	tokens *prometheus.CounterVec
}

// verifierState belongs to one content of the key file: with the keys goes all that was verified by them.
type verifierState struct {
	keys  jwt.VerificationKeySet
	known remembered
}

// verified is what is remembered of a token.
type verified struct {
	who     Identity
	ok      bool
	outcome string
	until   time.Time // when that ends
}

// NewVerifier reads the keys.
func NewVerifier(o VerifierOptions) (*Verifier, error) {
	if o.Audience == "" {
		return nil, errors.New("login tokens: want an audience")
	}
	if o.Remembered == 0 {
		o.Remembered = 16384
	}
	if o.PerSecond == 0 {
		o.PerSecond = 2000
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	content, err := watch.Read(o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("login keys: %w", err)
	}
	rules := []jwt.ParserOption{
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithAudience(o.Audience),
		jwt.WithExpirationRequired(), jwt.WithLeeway(o.Leeway), jwt.WithStrictDecoding(),
	}
	if o.Issuer != "" {
		rules = append(rules, jwt.WithIssuer(o.Issuer))
	}
	v := &Verifier{o: o, parser: jwt.NewParser(rules...), seen: content, budget: budget{perSecond: float64(o.PerSecond)}}
	v.tokens = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "login_tokens_total", Help: "Tokens looked at, by outcome (valid, forged, expired, malformed, unverified)."}, []string{"outcome"})
	if o.Metrics != nil {
		o.Metrics.MustRegister(v.tokens)
	}
	if err := v.use(content); err != nil {
		return nil, fmt.Errorf("login keys: %s: %w", o.KeyFile, err)
	}
	return v, nil
}

// Run follows the key file until ctx ends. A broken file changes nothing.
func (v *Verifier) Run(ctx context.Context) error {
	watch.File(ctx, v.o.KeyFile, v.seen, func(content []byte) {
		if err := v.use(content); err != nil {
			v.o.Log.Error("login keys refused, the old ones stay", "file", v.o.KeyFile, "error", err)
			return
		}
		v.o.Log.Info("login keys changed", "file", v.o.KeyFile, "keys", len(v.state.Load().keys.Keys))
	})
	return nil
}

func (v *Verifier) use(content []byte) error {
	keys, err := parseKeys(content)
	if err != nil {
		return err
	}
	next := &verifierState{known: newRemembered(v.o.Remembered)}
	for _, key := range keys {
		next.keys.Keys = append(next.keys.Keys, key)
	}
	v.state.Store(next)
	return nil
}

// Login returns the identity of a token's subject; false when the token is not to be believed.
func (v *Verifier) Login(token string) (Identity, bool) {
	if len(token) > maxToken {
		v.tokens.WithLabelValues("malformed").Inc()
		return Identity{}, false
	}
	state := v.state.Load()
	digest := sha256.Sum256([]byte(token))
	now := time.Now()
	if known, ok := state.known.find(digest); ok && now.Before(known.until) {
		return known.who, known.ok
	}
	if !v.budget.take(now) {
		v.tokens.WithLabelValues("unverified").Inc()
		return Identity{}, false
	}
	result := v.verify(state, token, now)
	state.known.add(digest, result)
	v.tokens.WithLabelValues(result.outcome).Inc()
	return result.who, result.ok
}

// notBelieved is how long a token that was refused is remembered as such: it may become valid, by the time.
const notBelieved = 5 * time.Second

func (v *Verifier) verify(state *verifierState, token string, now time.Time) verified {
	var claims jwt.RegisteredClaims
	_, err := v.parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return state.keys, nil })
	no := verified{until: now.Add(notBelieved)}
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		no.outcome = "expired"
	case errors.Is(err, jwt.ErrTokenMalformed), errors.Is(err, jwt.ErrTokenUnverifiable):
		no.outcome = "malformed"
	case err != nil:
		no.outcome = "forged"
	case claims.Subject == "" || len(claims.Subject) > maxSubject || !utf8.ValidString(claims.Subject):
		no.outcome = "malformed"
	default:
		return verified{who: OfLogin(claims.Subject), ok: true, outcome: "valid", until: claims.ExpiresAt.Add(v.o.Leeway)}
	}
	return no
}

// remembered is a bounded map of tokens by digest. Believed ones and others have their own room, so that a
// flood of forged tokens drives out no login; in each, the oldest goes first.
type remembered struct{ believed, refused *ringMap }

func newRemembered(bound int) remembered {
	return remembered{believed: newRingMap(bound), refused: newRingMap(max(1, bound/8))}
}

func (r remembered) find(d [sha256.Size]byte) (verified, bool) {
	if v, ok := r.believed.find(d); ok {
		return v, true
	}
	return r.refused.find(d)
}

func (r remembered) add(d [sha256.Size]byte, v verified) {
	if v.ok {
		r.believed.add(d, v)
	} else {
		r.refused.add(d, v)
	}
}

// ringMap is a map whose oldest entry makes room for the newest.
type ringMap struct {
	mu    sync.RWMutex // guards all below
	found map[[sha256.Size]byte]verified
	order [][sha256.Size]byte
	next  int
	bound int
}

func newRingMap(bound int) *ringMap {
	return &ringMap{found: map[[sha256.Size]byte]verified{}, bound: bound}
}

func (m *ringMap) find(d [sha256.Size]byte) (verified, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := m.found[d]
	return v, ok
}

func (m *ringMap) add(d [sha256.Size]byte, v verified) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, known := m.found[d]
	m.found[d] = v
	switch {
	case known:
	case len(m.order) < m.bound:
		m.order = append(m.order, d)
	default:
		delete(m.found, m.order[m.next])
		m.order[m.next] = d
		m.next = (m.next + 1) % m.bound
	}
}

// budget is a token bucket of one second's worth.
type budget struct {
	perSecond float64

	mu   sync.Mutex // guards all below
	left float64
	at   time.Time
}

func (b *budget) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at.IsZero() {
		b.left = b.perSecond
	} else if dt := now.Sub(b.at); dt > 0 {
		b.left = min(b.perSecond, b.left+b.perSecond*dt.Seconds())
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

package experiment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/flotilla-dev/flotilla/ambassadors/experiment/arm"
	"github.com/flotilla-dev/flotilla/ambassadors/experiment/shadow"
	"github.com/flotilla-dev/flotilla/internal/problem"
	"github.com/flotilla-dev/flotilla/internal/upstream"
)

// ServeHTTP answers a request of a client.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	s.metrics.active.Inc()
	defer s.metrics.active.Dec()
	ctx := otel.GetTextMapPropagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := otel.Tracer("github.com/flotilla-dev/flotilla/ambassadors/experiment").Start(ctx, "split", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()

	seen, x := &statusWriter{ResponseWriter: w}, &exchange{}
	defer func() { // also when the proxy gives up in the middle of a body, by a panic
		s.metrics.request(r.Method, seen.status, time.Since(began))
		if span.IsRecording() {
			span.SetAttributes(attribute.String("experiment.arm", x.servedBy), attribute.Int("http.response.status_code", seen.status))
		}
	}()
	if refusedMethod(r.Method) {
		problem.New(http.StatusMethodNotAllowed, "method-not-allowed", r.Method+" is not passed on").Write(seen)
		return
	}
	if r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(w, r.Body, int64(s.cfg.MaxBody))
	}
	x = s.assign(r)
	r = r.WithContext(context.WithValue(ctx, exchangeKey{}, x))
	if err := s.keep(r, x); err != nil {
		s.refuse(seen, r, fmt.Errorf("%w: %w", errIncomplete, err))
	} else {
		s.proxy.ServeHTTP(seen, r)
	}
}

// refusedMethod tells of methods that a proxy must not pass on: CONNECT asks for a tunnel to anywhere, TRACE shows
// what an arm was sent, with the fields of this hop.
func refusedMethod(method string) bool {
	return method == http.MethodConnect || method == http.MethodTrace
}

func (s *Server) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport: s,
		Rewrite:   s.rewrite,
		ModifyResponse: func(response *http.Response) error {
			s.mark(response.Header, exchangeOf(response.Request.Context()))
			return nil
		},
		ErrorHandler:  s.refuse,
		FlushInterval: 100 * time.Millisecond, // a stream is seen while it lasts
		BufferPool:    &buffers{},
		ErrorLog:      slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// rewrite makes the request that goes to an arm. Host stays the client's. The proxy has taken away the hop-by-hop
// fields and all of X-Forwarded-*.
func (s *Server) rewrite(p *httputil.ProxyRequest) {
	p.Out.Host = p.In.Host
	p.Out.URL.Scheme, p.Out.URL.Host = "http", "arm" // which arm and replica is found out later
	// Upgrades (RFC 9110, 7.8) are not passed on: the arm answers as if nobody had asked.
	p.Out.Header.Del("Upgrade")
	p.Out.Header.Del("Connection")
	peer, err := netip.ParseAddrPort(p.In.RemoteAddr)
	trusted := err == nil && s.source.Trusted.Trusts(peer.Addr())
	if trusted {
		p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
	}
	p.SetXForwarded()
	for _, field := range [...]string{"X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded"} {
		if given := p.In.Header[field]; trusted && len(given) > 0 {
			p.Out.Header[field] = given
		}
	}
	if !trusted {
		p.Out.Header.Del("X-Real-IP")
		p.Out.Header.Del(shadow.Mark) // nobody makes his request look like a copy
	}
}

// errIncomplete is an error of the client.
var errIncomplete = errors.New("read request body")

// refuse answers what no arm has answered.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	x := exchangeOf(r.Context())
	w.Header().Set(Field, x.field())
	var tooLarge *http.MaxBytesError
	var f *arm.Failure
	switch {
	case errors.As(err, &tooLarge):
		problem.New(http.StatusRequestEntityTooLarge, "body-too-large", "the body is larger than "+strconv.FormatInt(tooLarge.Limit, 10)+" bytes").Write(w)
		return
	case errors.Is(err, errIncomplete):
		problem.New(http.StatusBadRequest, "body-incomplete", "the request ended before its body did").Write(w)
		return
	case r.Context().Err() != nil && !errors.Is(r.Context().Err(), context.DeadlineExceeded):
		w.WriteHeader(499) // the client is gone: for the metrics
		return
	case errors.Is(err, upstream.ErrNoUpstream):
		problem.New(http.StatusServiceUnavailable, "no-replica", "no replica of the service can be used now").Retry(time.Second).Write(w)
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &f) && f.Outcome == upstream.Timeout:
		problem.New(http.StatusGatewayTimeout, "upstream-timeout", "the service did not answer in time").Retry(time.Second).Write(w)
	default:
		problem.New(http.StatusBadGateway, "upstream-failed", "the service could not be reached, or broke off").Retry(time.Second).Write(w)
	}
	s.log.WarnContext(r.Context(), "request not answered", "arm", x.servedBy, "method", r.Method, "error", err)
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if status >= 200 && w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach Flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// buffers are reused for bodies.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

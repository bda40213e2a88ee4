package tlsproxy

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// newProxy passes requests on to the application.
func newProxy(app *application, o *observer) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport:    app.transport(o.cfg),
		Rewrite:      func(r *httputil.ProxyRequest) { rewrite(r, app.addr, o.tracer != nil) },
		ErrorHandler: o.answerError,
		ErrorLog:     slog.NewLogLogger(o.log.Handler(), slog.LevelDebug), // what matters is in the access log
		BufferPool:   &buffers{},
	}
}

// rewrite makes the request to the application: the client's, with what this hop
// knows in the place of what a client may have made up. ReverseProxy has already
// removed the fields that end at this hop (RFC 9110, 7.6.1).
func rewrite(r *httputil.ProxyRequest, addr string, tracing bool) {
	r.Out.URL.Scheme, r.Out.URL.Host = "http", addr
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as it is: an old application may have a syntax of its own
	r.Out.Host = r.In.Host
	for name := range r.Out.Header {
		if forwarding(name) {
			delete(r.Out.Header, name)
		}
	}
	r.SetXForwarded()
	r.Out.Header.Set("X-Forwarded-Proto", "https")
	r.Out.Header.Set("X-Real-Ip", r.Out.Header.Get("X-Forwarded-For"))
	if strings.Contains(strings.ToLower(r.Out.Header.Get("Upgrade")), "h2c") {
		// What follows such an upgrade would be requests that nobody looks at.
		r.Out.Header.Del("Upgrade")
		r.Out.Header.Del("Connection")
		r.Out.Header.Del("Http2-Settings")
	}
	if tracing {
		otel.GetTextMapPropagator().Inject(r.In.Context(), propagation.HeaderCarrier(r.Out.Header))
	}
}

// forwarding tells whether a field says something about the client that only a
// proxy may say. CGI makes X_Forwarded_For and X-Forwarded-For the same variable,
// so both count.
func forwarding(name string) bool {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	return name == "forwarded" || name == "x-real-ip" || strings.HasPrefix(name, "x-forwarded")
}

const bufferSize = 32 << 10

// buffers are what answers are copied through.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if kept, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return kept[:]
	}
	return new([bufferSize]byte)[:]
}

func (b *buffers) Put(buf []byte) {
	if len(buf) == bufferSize {
		b.pool.Put((*[bufferSize]byte)(buf))
	}
}

// methods that a proxy of HTTP/1.1 must not pass on: CONNECT asks for a tunnel to
// anywhere, TRACE shows what it was sent, with the fields of this hop.
func refusedMethod(method string) bool {
	return method == http.MethodConnect || method == http.MethodTrace
}

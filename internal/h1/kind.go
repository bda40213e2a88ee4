package h1

// A Kind tells what a gateway has to do about a field. It is found once, when
// the field is parsed, by the length of its name first.
type Kind uint8

// Kinds of fields. Those up to lastHop end at this hop (RFC 9110, 7.6.1).
const (
	Other Kind = iota
	Connection
	TransferEncoding
	TE
	Upgrade
	HopByHop // Keep-Alive, Proxy-*, HTTP2-Settings
	lastHop

	Host
	ContentLength
	Expect
	Trailer
	Via
	Date
	Forwarding // what only the edge itself may say: X-Forwarded-*, Forwarded, X-Real-IP
	ForwardedFor
	TraceParent
	TraceState
	EdgeOnly // what only the edge may tell a client: Strict-Transport-Security, Alt-Svc
	UserAgent
)

// EndsHere tells whether the field must not be forwarded because it is about
// this connection only.
func (k Kind) EndsHere() bool { return k != Other && k < lastHop }

// KindOf finds the kind of a field name, in any case.
func KindOf[T string | []byte](name T) Kind {
	if len(name) < 2 || len(name) > 25 {
		return Other
	}
	for _, known := range byLength[len(name)] {
		if equalFold(name, known.name) {
			return known.kind
		}
	}
	if len(name) > 12 && equalFold(name[:12], "x-forwarded-") {
		return Forwarding
	}
	return Other
}

type knownName struct {
	name string
	kind Kind
}

var byLength = [26][]knownName{
	2:  {{"te", TE}},
	3:  {{"via", Via}},
	4:  {{"host", Host}, {"date", Date}},
	6:  {{"expect", Expect}},
	7:  {{"upgrade", Upgrade}, {"trailer", Trailer}, {"alt-svc", EdgeOnly}},
	9:  {{"x-real-ip", Forwarding}, {"forwarded", Forwarding}},
	10: {{"connection", Connection}, {"keep-alive", HopByHop}, {"user-agent", UserAgent}, {"tracestate", TraceState}},
	11: {{"traceparent", TraceParent}},
	14: {{"content-length", ContentLength}, {"http2-settings", HopByHop}},
	15: {{"x-forwarded-for", ForwardedFor}},
	16: {{"proxy-connection", HopByHop}},
	17: {{"transfer-encoding", TransferEncoding}},
	18: {{"proxy-authenticate", HopByHop}},
	19: {{"proxy-authorization", HopByHop}},
	25: {{"strict-transport-security", EdgeOnly}},
}

// equalFold compares with a lower-case ASCII string.
func equalFold[T string | []byte](name T, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := 0; i < len(lower); i++ {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

var (
	isToken = table(alphanumeric + "!#$%&'*+-.^_`|~") // RFC 9110, 5.6.2
	isHost  = table(alphanumeric + "-._~:[]")
)

func table(members string) (t [256]bool) {
	for i := range len(members) {
		t[members[i]] = true
	}
	return t
}

func token(b []byte) bool {
	for _, c := range b {
		if !isToken[c] {
			return false
		}
	}
	return len(b) > 0
}

package wiring

import (
	"fmt"
	"strings"
)

// What decides how large the binaries of images are, and how much memory they take.
const (
	imageTags    = "grpcnotrace"
	imageLinking = "-s -w"
)

// An image without data is a binary and a base of less than 2 MiB.
const (
	largestImage  = 20 << 20
	largestBinary = largestImage - 2<<20
)

// larger are the programs that may have more, and why.
var larger = map[string]struct {
	bytes  int64
	reason string
}{
	"search": {23 << 20, "its page is a template, so that the linker keeps every method of what it links; and the client of Kafka brings Kerberos and four compressions"},
}

// limit is the largest that a program's binary may be.
func limit(program string) int64 {
	if l, may := larger[program]; may {
		return l.bytes
	}
	return largestBinary
}

// checkSizes: an image is small enough to be pulled while somebody waits. What makes a
// binary suddenly larger is most often not its own code, but one call by which the
// linker can no longer tell which methods are used: of text/template, or of
// reflect.Value.MethodByName.
func checkSizes(dockerfile string, catalogue Catalogue) []Finding {
	var all []Finding
	for _, flags := range []string{"-tags " + imageTags, `-ldflags "` + imageLinking} {
		if !strings.Contains(dockerfile, flags) {
			all = append(all, Finding{"infra/docker/Dockerfile", "stage build", "go build has no " + flags, "the flags in infra/wiring/size.go"})
		}
	}
	for _, p := range catalogue.images() {
		if most := limit(p.Program); p.Size > most {
			all = append(all, Finding{"image", p.Program, fmt.Sprintf("its binary has %.1f MiB", mebibytes(p.Size)), fmt.Sprintf("at most %.0f MiB", mebibytes(most))})
		}
	}
	return all
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

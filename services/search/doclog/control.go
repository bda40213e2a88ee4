package doclog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
)

// Kinds of records that are about the log itself. No index has them.
const (
	Seal    Kind = "seal"    // the partition ends here: what is behind it was never acknowledged, and is not read
	Fence   Kind = "fence"   // what earlier holders of the writer's identity sent cannot come behind it
	Control Kind = "control" // has a value, which is its writers' affair
)

// controlPrefix begins the keys of these records. The names of marks have no spaces, and ids do not begin with mark:.
const controlPrefix = markPrefix + " "

// MaxControl bounds the value of a Control.
const MaxControl = 64 << 10

// Sealed is a record that ends a partition.
func Sealed(name string) Record { return Record{Kind: Seal, ID: name} }

// Fencing is a record that only has to be written.
func Fencing(name string) Record { return Record{Kind: Fence, ID: name} }

// Controlled is a record with a value for those who know it.
func Controlled(name string, value []byte) Record {
	return Record{Kind: Control, ID: name, Value: value}
}

func controlKey(r Record) []byte { return []byte(controlPrefix + string(r.Kind) + " " + r.ID) }

func controlValue(r Record) []byte {
	if r.Value == nil {
		return []byte("{}") // without a value it would be a deletion
	}
	return r.Value
}

func decodeControl(kind Kind, key string, offset int64, value []byte) (Record, error) {
	name, is := strings.CutPrefix(key, controlPrefix+string(kind)+" ")
	if !is {
		return Record{}, fmt.Errorf("the key of a %s does not begin with its kind", kind)
	}
	if len(value) > MaxControl {
		return Record{}, fmt.Errorf("the value of a %s is too large", kind)
	}
	return Record{Kind: kind, ID: name, Offset: offset, Value: value}, checkID(name)
}

// A Source is the place in another topic that a record was copied from.
type Source struct {
	Partition int32
	Offset    int64
}

// sourceHeader carries it.
const sourceHeader = "source"

func (s *Source) header() *sarama.RecordHeader {
	return &sarama.RecordHeader{Key: []byte(sourceHeader), Value: fmt.Appendf(nil, "%d:%d", s.Partition, s.Offset)}
}

func parseSource(text string) (*Source, error) {
	partition, offset, found := strings.Cut(text, ":")
	p, err := strconv.ParseInt(partition, 10, 32)
	o, err2 := strconv.ParseInt(offset, 10, 64)
	if !found || err != nil || err2 != nil || p < 0 || o < 0 {
		return nil, fmt.Errorf("%.40q is no place that a record can come from", text)
	}
	return &Source{Partition: int32(p), Offset: o}, nil
}

package replicas

import "errors"

// ErrChanged says that there were not as many as the decision was made for.
var ErrChanged = errors.New("the number was changed by somebody else meanwhile")

// A Count is the replicas of a service.
type Count struct {
	Want  int `json:"want"`  // that were ordered
	Ready int `json:"ready"` // that can serve
}

package evidence

import (
	"strings"

	"github.com/countersign-project/countersign/tuf/trust"
)

// Named says under which name a channel's signed metadata knows a file.
type Named struct {
	Channel string
	Version string
	Path    string // target path
}

// Find returns every name under which these channels know a file of this length and SHA-256, in the order
// of the channels. It is a search in metadata that was verified; what it means is for the judge to say.
func Find(set *trust.Set, channels []string, length int64, sum [32]byte) []Named {
	var list []Named
	for _, channel := range channels {
		for _, t := range set.Targets(channel) {
			parts := strings.Split(t.Path, "/")
			if t.Length == length && t.SHA256 == sum && len(parts) >= 3 && parts[0] == channel {
				list = append(list, Named{channel, parts[1], t.Path})
			}
		}
	}
	return list
}

package remote

import (
	"context"
	"net/http"

	"github.com/countersign-project/countersign/messenger/server/api"
)

// About asks a server what it says it is; it tells strangers too, so nobody's name goes along.
func (s *Server) About(ctx context.Context) (about api.About, err error) {
	return about, s.call(ctx, Login{}, http.MethodGet, "/v3/about", nil, &about)
}

package httpapi

import (
	"maps"
	"net/http"
	"slices"

	"stoa/internal/auth"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
)

// weights serves GET /weights.
func (s *server) weights(c *gin.Context) {
	snapshot, ok := s.snapshot(c)
	if !ok {
		return
	}
	w := s.view(c)
	document(c, func(dst *[]byte) {
		list := mesosjson.BeginArray(dst)
		for _, role := range slices.Sorted(maps.Keys(snapshot.Weights)) {
			if !w.Role(role) {
				continue
			}
			one := list.Object()
			one.String("role", role)
			one.Double("weight", snapshot.Weights[role])
			one.End()
		}
		list.End()
	})
}

// putWeights serves PUT /weights.
func (s *server) putWeights(c *gin.Context) {
	body, ok := httpd.Body(c, 0)
	if !ok {
		return
	}
	v, err := mesosjson.ParseKind(body, mesosjson.ArrayKind)
	if err != nil {
		httpd.Text(c, http.StatusBadRequest, "Failed to parse update weights request JSON '"+string(body)+"': "+err.Error())
		return
	}
	list, err := mesosjson.UnmarshalList[mesospb.WeightInfo](v, mesosjson.V0)
	if err != nil {
		httpd.Text(c, http.StatusBadRequest, "Failed to convert weights JSON array to protobuf '"+string(body)+"': "+err.Error())
		return
	}
	s.updateWeights(c, list)
}

func (s *server) updateWeights(c *gin.Context, list []*mesospb.WeightInfo) {
	s.ask(c, func(id core.RequestID) core.Event {
		return core.UpdateWeights{Request: id, Weights: list, Authorize: s.allowedRoles(c, auth.UpdateWeight)}
	})
}

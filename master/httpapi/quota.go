package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"stoa/internal/auth"
	"stoa/internal/httpd"
	"stoa/internal/mesos/masterpb"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/quotapb"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
	"google.golang.org/protobuf/proto"
)

// quotaCall carries out the calls about quotas. It says whether the call was one of them.
func (s *server) quotaCall(a answer, call *masterpb.Call) bool {
	switch call.GetType() {
	case masterpb.Call_GET_QUOTA:
		if snapshot, ok := s.snapshot(a.c); ok {
			a.message(&masterpb.Response{
				Type:     masterpb.Response_GET_QUOTA.Enum(),
				GetQuota: &masterpb.Response_GetQuota{Status: quotaStatus(snapshot, s.allowedRole(a.c, auth.GetQuota))},
			})
		}
	case masterpb.Call_UPDATE_QUOTA:
		update := call.GetUpdateQuota()
		s.ask(a.c, func(id core.RequestID) core.Event {
			return core.UpdateQuota{
				Request: id, Configs: update.GetQuotaConfigs(), Force: update.GetForce(), Authorize: s.allowedRole(a.c, auth.UpdateQuota),
			}
		})
	case masterpb.Call_SET_QUOTA:
		s.setQuota(a.c, call.GetSetQuota().GetQuotaRequest())
	case masterpb.Call_REMOVE_QUOTA:
		s.removeQuota(a.c, call.GetRemoveQuota().GetRole(), "")
	default:
		return false
	}
	return true
}

func (s *server) setQuota(c *gin.Context, request *quotapb.QuotaRequest) {
	s.ask(c, func(id core.RequestID) core.Event {
		return core.SetQuota{Request: id, Quota: request, Authorize: s.allowedRole(c, auth.UpdateQuota)}
	})
}

func (s *server) removeQuota(c *gin.Context, role, path string) {
	s.ask(c, func(id core.RequestID) core.Event {
		return core.RemoveQuota{Request: id, Role: role, Path: path, Authorize: s.allowedRole(c, auth.UpdateQuota)}
	})
}

// quotaStatus lists the quotas that may be seen (all without seen) in both forms: the old
// one knows guarantees only.
func quotaStatus(s *core.Snapshot, seen func(role string) bool) *quotapb.QuotaStatus {
	status := &quotapb.QuotaStatus{}
	for _, role := range slices.Sorted(maps.Keys(s.Quotas)) {
		if seen != nil && !seen(role) {
			continue
		}
		q := s.Quotas[role]
		info := &quotapb.QuotaInfo{Role: proto.String(role)}
		config := &quotapb.QuotaConfig{Role: proto.String(role)}
		for name, amount := range q.Guarantees.All() {
			value := &mesospb.Value_Scalar{Value: proto.Float64(amount.Float())}
			info.Guarantee = append(info.Guarantee, &mesospb.Resource{
				Name: proto.String(name), Type: mesospb.Value_SCALAR.Enum(), Scalar: value,
			})
			if config.Guarantees == nil {
				config.Guarantees = make(map[string]*mesospb.Value_Scalar)
			}
			config.Guarantees[name] = value
		}
		for name, amount := range q.Limits.All() {
			if config.Limits == nil {
				config.Limits = make(map[string]*mesospb.Value_Scalar)
			}
			config.Limits[name] = &mesospb.Value_Scalar{Value: proto.Float64(amount.Float())}
		}
		status.Infos = append(status.Infos, info)
		status.Configs = append(status.Configs, config)
	}
	return status
}

// quotas serves GET /quota.
func (s *server) quotas(c *gin.Context) {
	if snapshot, ok := s.snapshot(c); ok {
		status := quotaStatus(snapshot, s.allowedRole(c, auth.GetQuota))
		document(c, func(dst *[]byte) { *dst = mesosjson.Append(*dst, status, mesosjson.V0) })
	}
}

// postQuota serves POST /quota.
func (s *server) postQuota(c *gin.Context) {
	body, ok := httpd.Body(c, 0)
	if !ok {
		return
	}
	v, err := mesosjson.ParseKind(body, mesosjson.ObjectKind)
	if err != nil {
		httpd.Text(c, http.StatusBadRequest, "Failed to parse set quota request JSON '"+string(body)+"': "+err.Error())
		return
	}
	request := &quotapb.QuotaRequest{}
	if err := v.Unmarshal(request, mesosjson.V0); err != nil {
		httpd.Text(c, http.StatusBadRequest, "Failed to validate set quota request JSON '"+string(body)+"': "+err.Error())
		return
	}
	s.setQuota(c, request)
}

// deleteQuota serves DELETE /quota/<role>. The role may have slashes in it.
func (s *server) deleteQuota(c *gin.Context) {
	path := httpd.Path(c)
	rest := strings.TrimLeft(path, "/")
	var tokens int
	for rest != "" && tokens < 2 {
		tokens++
		_, rest, _ = strings.Cut(rest, "/")
		rest = strings.TrimLeft(rest, "/")
	}
	if rest == "" {
		httpd.Text(c, http.StatusBadRequest, "Failed to parse remove quota request for path '"+path+"': expected 3 tokens, found 2 tokens")
		return
	}
	s.removeQuota(c, rest, path)
}

package httpapi

import (
	"context"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"

	"stoa/agent/core"
	"stoa/internal/httpd"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
)

// container is a live executor's container with what is known of it.
type container struct {
	framework  *core.FrameworkView
	executor   *core.ExecutorView
	status     *mesospb.ContainerStatus
	statistics *mesospb.ResourceStatistics
}

// maxAsking bounds how many containers are asked at the same time.
const maxAsking = 32

// inspect asks for the state of the containers that want accepts.
func (s *server) inspect(ctx context.Context, v *core.View, want func(*core.FrameworkView, *core.ExecutorView) bool) []container {
	var list []container
	for _, f := range v.Frameworks {
		for _, e := range f.Executors {
			if e.State != core.ExecutorTerminated && want(f, e) {
				list = append(list, container{framework: f, executor: e})
			}
		}
	}
	var asking sync.WaitGroup
	slots := make(chan struct{}, maxAsking)
	for i := range list {
		slots <- struct{}{}
		asking.Go(func() {
			defer func() { <-slots }()
			list[i].status = s.Containers.Status(ctx, list[i].executor.Run)
			list[i].statistics = s.Containers.Usage(ctx, list[i].executor.Run)
		})
	}
	asking.Wait()
	return list
}

func everyContainer(*core.FrameworkView, *core.ExecutorView) bool { return true }

// statistics answers GET /monitor/statistics; containers without statistics are left out.
func (s *server) statistics(c *gin.Context) {
	v := s.View(c.Request.Context())
	var body []byte
	a := mesosjson.BeginArray(&body)
	for _, one := range s.inspect(c.Request.Context(), v, everyContainer) {
		if one.statistics == nil {
			continue
		}
		o := a.Object()
		o.String("executor_id", one.executor.Run.Executor)
		o.String("executor_name", one.executor.Info.GetName())
		o.String("framework_id", one.executor.Run.Framework)
		o.String("source", one.executor.Info.GetSource())
		o.SortedMessage("statistics", one.statistics, mesosjson.V0)
		o.End()
	}
	a.End()
	httpd.JSON(c, body)
}

// containers answers GET /containers.
func (s *server) containers(c *gin.Context, v *core.View) {
	q := httpd.Query(c)
	id, byID := q["container_id"]
	framework, byFramework := q["framework_id"]
	executor, byExecutor := q["executor_id"]
	if byID && (byFramework || byExecutor) || !byID && byExecutor && !byFramework {
		httpd.Text(c, http.StatusBadRequest, "Supported query parameters are container_id only,"+
			" framework_id only, or executor_id and framework_id only")
		return
	}
	seen := s.containerSeen(c)
	list := s.inspect(c.Request.Context(), v, func(f *core.FrameworkView, e *core.ExecutorView) bool {
		return seen(f, e) && (!byID || e.Run.Container == id) && (!byFramework || e.Run.Framework == framework) &&
			(!byExecutor || e.Run.Executor == executor)
	})
	var body []byte
	a := mesosjson.BeginArray(&body)
	for _, one := range list {
		o := a.Object()
		o.String("container_id", one.executor.Run.Container)
		o.String("executor_id", one.executor.Run.Executor)
		o.String("executor_name", one.executor.Info.GetName())
		o.String("framework_id", one.executor.Run.Framework)
		o.String("source", one.executor.Info.GetSource())
		if one.statistics != nil {
			o.SortedMessage("statistics", one.statistics, mesosjson.V0)
		}
		if one.status != nil {
			o.SortedMessage("status", one.status, mesosjson.V0)
		}
		o.End()
	}
	a.End()
	httpd.JSON(c, body)
}

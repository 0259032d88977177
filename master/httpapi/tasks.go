package httpapi

import (
	"math"
	"slices"
	"strconv"

	"stoa/internal/httpd"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/master/core"

	"github.com/gin-gonic/gin"
)

// defaultTasks is how many tasks /tasks shows unless told otherwise.
const defaultTasks = 100

// tasks serves /tasks: tasks in all states of all frameworks, ordered by their first
// status, newest first.
func (s *server) tasks(c *gin.Context) {
	framework, task := selection(c, "framework_id"), selection(c, "task_id")
	ascending := httpd.Query(c)["order"] == "asc"
	limit, offset := number(c, "limit", defaultTasks), number(c, "offset", 0)
	w := s.view(c)
	s.shared(c, func(dst *[]byte, snapshot *core.Snapshot) {
		var list []*mesospb.Task
		for _, f := range slices.Concat(snapshot.Frameworks, snapshot.Completed) {
			if !framework(f.ID) || !w.Framework(f.Info) {
				continue
			}
			for _, tasks := range [...][]*mesospb.Task{f.Tasks, f.Unreachable, f.CompletedTasks} {
				for _, t := range tasks {
					if task(t.GetTaskId().GetValue()) && w.Task(t, f.Info) {
						list = append(list, t)
					}
				}
			}
		}
		sortTasks(list, ascending)
		o := mesosjson.BeginObject(dst)
		tasksField(o, dst, "tasks", page(list, limit, offset))
		o.End()
	})
}

func sortTasks(list []*mesospb.Task, ascending bool) {
	// A task without a status counts as the oldest.
	first := func(t *mesospb.Task) float64 {
		if len(t.GetStatuses()) == 0 {
			return math.Inf(-1)
		}
		return t.GetStatuses()[0].GetTimestamp()
	}
	slices.SortStableFunc(list, func(a, b *mesospb.Task) int {
		x, y := first(a), first(b)
		if !ascending {
			x, y = y, x
		}
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
}

// number reads a parameter as the original's numify<int> does; what is no number counts
// as absent.
func number(c *gin.Context, parameter string, absent int64) int64 {
	n, err := strconv.ParseInt(httpd.Query(c)[parameter], 10, 32)
	if err != nil {
		return absent
	}
	return n
}

// page cuts out the tasks from offset on, at most limit. Both become unsigned in the
// original: a negative limit is no limit, unless an offset makes their sum small.
func page(list []*mesospb.Task, limit, offset int64) []*mesospb.Task {
	begin := uint64(offset)
	end := min(begin+uint64(limit), uint64(len(list)))
	if begin >= end {
		return nil
	}
	return list[begin:end]
}

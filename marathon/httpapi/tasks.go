package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"stoa/internal/httpd"
	"stoa/marathon/app"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/playjson"
	"stoa/marathon/timestamp"
)

// wantsText tells whether the client asks for text and would not take JSON as gladly.
func wantsText(c *gin.Context) bool {
	return c.GetHeader("Accept") != "" && !httpd.AcceptsType(c.Request, httpd.TypeJSON) && httpd.AcceptsType(c.Request, "text/plain")
}

// taskList answers with a list of tasks.
func (s *server) taskList(c *gin.Context, write func(*playjson.Writer)) error {
	w := s.newDocument()
	w.BeginObject()
	w.Key("tasks")
	w.BeginArray()
	write(w)
	w.EndArray()
	w.EndObject()
	return answer(c, w)
}

// notAcceptable answers 406 for a client that takes neither JSON nor text.
func notAcceptable(c *gin.Context) bool {
	if httpd.AcceptsType(c.Request, httpd.TypeJSON) {
		return false
	}
	messageOnly(c, http.StatusNotAcceptable, "Not Acceptable")
	return true
}

// tasks is GET /v2/tasks.
func (s *server) tasks(c *gin.Context) error {
	view := s.Backend.Snapshot()
	if wantsText(c) {
		return s.textTasks(c, view, view.Root.SortedApps())
	}
	if notAcceptable(c) {
		return nil
	}
	var wanted []instance.Condition
	for _, word := range append(c.QueryArray("status[]"), c.Query("status")) {
		switch strings.ToLower(word) {
		case "running":
			wanted = append(wanted, instance.Running)
		case "staging":
			wanted = append(wanted, instance.Staging)
		}
	}
	return s.taskList(c, func(w *playjson.Writer) {
		for _, a := range view.Root.SortedApps() {
			ports := a.ServicePorts()
			for _, i := range view.Instances[a.ID] {
				if len(wanted) == 0 || slices.Contains(wanted, i.State.Condition) {
					writeTask(w, view, i, ports)
				}
			}
		}
	})
}

// appTasks is GET /v2/apps/{id}/tasks, with a wildcard for the apps of a group.
func (s *server) appTasks(c *gin.Context, raw string) error {
	view := s.Backend.Snapshot()
	var apps []*app.App
	if groupID, ok := wildcard(raw); ok {
		found := view.Root.Find(groupID)
		if found == nil {
			return s.messageAndNothing(c, http.StatusNotFound, noGroup(groupID).Error())
		}
		apps = found.SortedApps()
	} else {
		appID := resolve(raw)
		a := view.Root.App(appID)
		if a == nil {
			return s.messageAndNothing(c, http.StatusNotFound, noApp(appID).Error())
		}
		apps = []*app.App{a}
	}
	if wantsText(c) {
		return s.textTasks(c, view, apps)
	}
	if notAcceptable(c) {
		return nil
	}
	return s.taskList(c, func(w *playjson.Writer) {
		for _, a := range apps {
			for _, i := range view.Instances[a.ID] {
				writeTask(w, view, i, nil)
			}
		}
	})
}

// textTasks writes the table of endpoints (api/EndpointsHelper.scala).
func (s *server) textTasks(c *gin.Context, view *View, apps []*app.App) error {
	if !s.TextPlainTasks {
		text := "The text/plain output is deprecated. It can be enabled via text_plain_tasks."
		httpd.Bytes(c, http.StatusNotAcceptable, "text/plain", playjson.AppendString(nil, text))
		return nil
	}
	networks := strings.Split(c.Query("containerNetworks"), ",")
	var table strings.Builder
	for _, a := range apps {
		if !a.HasHostNetwork() && !a.HasBridgeNetwork() && !slices.Contains(networks, "*") &&
			!slices.ContainsFunc(a.Networks, func(n app.Network) bool { return slices.Contains(networks, n.Name) }) {
			continue
		}
		writeEndpoints(&table, a, view.Instances[a.ID])
	}
	httpd.Bytes(c, http.StatusOK, "text/plain", []byte(table.String()))
	return nil
}

func writeEndpoints(table *strings.Builder, a *app.App, instances []*instance.Instance) {
	running := slices.DeleteFunc(slices.Clone(instances), func(i *instance.Instance) bool {
		return i.State.Condition != instance.Running || !shown(i)
	})
	ports := a.ServicePorts()
	if len(ports) == 0 {
		table.WriteString(a.ID.Safe() + "\t \t")
		for _, i := range running {
			table.WriteString(i.Agent.Host + "\t")
		}
		table.WriteByte('\n')
		return
	}
	for index, port := range ports {
		table.WriteString(a.ID.Safe() + "\t" + decimal(int64(port)) + "\t")
		for _, i := range running {
			if host := i.Task().Network.HostPorts; index < len(host) {
				table.WriteString(i.Agent.Host + ":" + decimal(int64(host[index])) + "\t")
			}
		}
		table.WriteByte('\n')
	}
}

// killOptions are the parameters of calls that kill.
type killOptions struct{ scale, force, wipe bool }

func readKillOptions(c *gin.Context) (killOptions, error) {
	options := killOptions{flag(c, "scale", false), flag(c, "force", false), flag(c, "wipe", false)}
	if options.scale && options.wipe {
		return options, badRequest("You cannot use scale and wipe at the same time.")
	}
	return options, nil
}

// deleteAppTasks is DELETE /v2/apps/{id}/tasks.
func (s *server) deleteAppTasks(c *gin.Context, raw string) error {
	if notAcceptable(c) {
		return nil
	}
	host, byHost := c.GetQuery("host")
	chosen := func(i *instance.Instance) bool {
		return !byHost || host == "*" || i.Agent != nil && i.Agent.Host == host
	}
	return s.killAppTasks(c, raw, chosen, func(view *View, killed []*instance.Instance) error {
		return s.taskList(c, func(w *playjson.Writer) {
			for _, i := range killed {
				writeTask(w, view, i, nil)
			}
		})
	})
}

// deleteAppTask is DELETE /v2/apps/{id}/tasks/{taskId}.
func (s *server) deleteAppTask(c *gin.Context, raw, taskID string) error {
	parsed, err := instance.ParseTaskID(taskID)
	chosen := func(i *instance.Instance) bool { return err == nil && i.ID == parsed.InstanceID }
	return s.killAppTasks(c, raw, chosen, func(view *View, killed []*instance.Instance) error {
		if len(killed) == 0 || !shown(killed[0]) {
			return s.messageAndNothing(c, http.StatusNotFound, "Task '"+taskID+"' does not exist")
		}
		w := s.newDocument()
		w.BeginObject()
		w.Key("task")
		writeTask(w, view, killed[0], nil)
		w.EndObject()
		return answer(c, w)
	})
}

// killAppTasks kills the chosen instances of one app and answers with them, or scales down by them.
func (s *server) killAppTasks(c *gin.Context, raw string, chosen func(*instance.Instance) bool, show func(*View, []*instance.Instance) error) error {
	options, err := readKillOptions(c)
	if err != nil {
		return err
	}
	appID := resolve(raw)
	view := s.Backend.Snapshot()
	found := slices.DeleteFunc(slices.Clone(view.Instances[appID]), func(i *instance.Instance) bool { return !chosen(i) })
	if options.scale {
		found = slices.DeleteFunc(found, func(i *instance.Instance) bool { return !i.Active() })
		return s.killAndScale(c, view, map[id.Path][]*instance.Instance{appID: found}, options.force)
	}
	if view.Root.App(appID) == nil {
		return s.messageAndNothing(c, http.StatusNotFound, noApp(appID).Error())
	}
	if err := s.Backend.KillInstances(c.Request.Context(), instanceIDs(found), options.wipe); err != nil {
		return err
	}
	return show(view, found)
}

func instanceIDs(instances []*instance.Instance) []string {
	ids := make([]string, len(instances))
	for n, i := range instances {
		ids[n] = i.ID
	}
	return ids
}

// killAndScale scales apps down by the number of instances to kill, which go first
// (api/TaskKiller.scala).
func (s *server) killAndScale(c *gin.Context, view *View, toKill map[id.Path][]*instance.Instance, force bool) error {
	options := UpdateOptions{GroupID: id.Root, Force: force, ToKill: map[id.Path][]string{}}
	fewer := map[id.Path]int{}
	for appID, instances := range toKill {
		if len(view.Instances[appID]) == 0 {
			return unknown("Path '" + appID.String() + "' does not exist")
		}
		options.ToKill[appID] = instanceIDs(instances)
		for _, i := range instances {
			if i.Active() && i.State.Condition != instance.Killing {
				fewer[appID]++
			}
		}
	}
	change := func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		return root.WithVersion(version).MapApps(id.Root, func(a *app.App) *app.App {
			if fewer[a.ID] == 0 {
				return a
			}
			return a.WithInstances(max(0, a.Instances-fewer[a.ID]))
		}), nil
	}
	result, err := s.Backend.UpdateRoot(c.Request.Context(), change, options)
	if err != nil {
		return err
	}
	return s.deployed(c, http.StatusOK, result)
}

// deleteTasks is POST /v2/tasks/delete.
func (s *server) deleteTasks(c *gin.Context) error {
	options, err := readKillOptions(c)
	if err != nil {
		return err
	}
	document, err := s.document(c)
	if err != nil {
		return err
	}
	taskIDs, err := readTaskIDs(document)
	if err != nil {
		return err
	}
	view := s.Backend.Snapshot()
	toKill := map[id.Path][]*instance.Instance{}
	var order []id.Path
	for _, taskID := range taskIDs {
		parsed, err := instance.ParseTaskID(taskID)
		if err != nil {
			return badTaskID(taskID)
		}
		appID := parsed.AppID
		for _, i := range view.Instances[appID] {
			if i.ID == parsed.InstanceID && !slices.Contains(toKill[appID], i) {
				if toKill[appID] == nil {
					order = append(order, appID)
				}
				toKill[appID] = append(toKill[appID], i)
			}
		}
	}
	if options.scale {
		return s.killAndScale(c, view, toKill, options.force)
	}
	var killed []*instance.Instance
	for _, appID := range order {
		if view.Root.App(appID) != nil {
			killed = append(killed, toKill[appID]...)
		}
	}
	if len(killed) > 0 {
		if err := s.Backend.KillInstances(c.Request.Context(), instanceIDs(killed), options.wipe); err != nil {
			return err
		}
	}
	return s.taskList(c, func(w *playjson.Writer) {
		for _, i := range killed {
			// The original looks no health results up here.
			writeTask(w, &View{}, i, nil)
		}
	})
}

// readTaskIDs reads the ids of a request; what is wrong is told without the key in its path.
func readTaskIDs(document *playjson.Value) ([]string, error) {
	ids, ok := document.Get("ids")
	if !ok {
		message := "'ids' is undefined on object: " + document.String()
		if document.Kind != playjson.Object {
			message = document.String() + " is not an object"
		}
		return nil, &app.ReadError{Violations: []app.Violation{{Message: message}}}
	}
	r := app.NewReader(ids)
	list := r.StringSet()
	return list, r.Err()
}

// badTaskID tells an id of no known form from one whose UUID is none.
func badTaskID(taskID string) error {
	at := strings.LastIndexAny(taskID, "._")
	if at <= 0 || at == len(taskID)-1 {
		return badRequest("Invalid task id '" + taskID + "'. [taskId " + taskID + " no valid identifier (of class java.lang.String)]")
	}
	return illegalArgument("Invalid UUID string: " + taskID[at+1:])
}

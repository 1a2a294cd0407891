"""Weft as Mininet's switch.

    mn --custom examples/mininet/weft.py --switch weft --controller ovsc --topo tree,2 --test pingall

Nothing has to run before: the first switch starts a database server and a switch daemon of its own in a temporary folder,
and both end with Mininet. Needed are Mininet, and ovs-vsctl, ovs-ofctl and ovsdb-tool of Open vSwitch's packages
(openvswitch-switch, or openvswitch-common and ovsdb-tool with the schema file). WEFT_BIN names the folder of Weft's programs
when this file is not in its place.
"""
import atexit
import inspect
import os
import shutil
import signal
import subprocess
import tempfile
import time

from mininet.node import OVSSwitch

# Mininet runs this file's text: there is no __file__
HERE = os.path.dirname(os.path.realpath(inspect.currentframe().f_code.co_filename))
BIN = os.environ.get('WEFT_BIN') or os.path.join(HERE, '..', '..', 'bin')
SCHEMA = os.environ.get('WEFT_SCHEMA') or '/usr/share/openvswitch/vswitch.ovsschema'
PROGRAMS = ('ovs-vswitchd', 'ovsdb-server')
STOP_SECONDS = 5


class Daemons:
    """One database server and one switch daemon, for all switches of this process."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='weft-mininet-')
        # ovs-vsctl and ovs-ofctl find sockets by these
        for name in ('OVS_RUNDIR', 'OVS_LOGDIR', 'OVS_DBDIR', 'OVS_SYSCONFDIR'):
            os.environ[name] = self.folder
        atexit.register(self.close)
        database = os.path.join(self.folder, 'conf.db')
        options = ['--no-chdir', '--detach', '--pidfile', '--log-file', '-vconsole:off']
        self._run('ovsdb-tool', 'create', database, SCHEMA)
        server = os.path.join(BIN, 'ovsdb-server')
        self._run(server, *options, '--remote=punix:' + os.path.join(self.folder, 'db.sock'), database)
        self._run('ovs-vsctl', '--no-wait', 'init')
        self._run(os.path.join(BIN, 'ovs-vswitchd'), *options)

    @staticmethod
    def _run(*command):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError('%s: %s' % (' '.join(command), done.stderr.strip()))

    def _pid(self, program):
        try:
            with open(os.path.join(self.folder, program + '.pid'), encoding='ascii') as file:
                return int(file.read())
        except (OSError, ValueError):
            return None

    def close(self):
        for program in PROGRAMS:
            pid = self._pid(program)
            if pid is None:
                continue
            try:
                os.kill(pid, signal.SIGTERM)
                end = time.monotonic() + STOP_SECONDS
                while time.monotonic() < end:
                    os.kill(pid, 0)
                    time.sleep(0.05)
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)


class WeftSwitch(OVSSwitch):
    """A bridge of Weft; takes all that Mininet's OVSSwitch takes: failMode, protocols, inband, reconnectms, batch."""

    daemons = None

    def __init__(self, name, **params):
        params['datapath'] = 'user'
        super().__init__(name, **params)

    @classmethod
    def setup(cls):
        """Called before the first switch."""
        if WeftSwitch.daemons is None:
            WeftSwitch.daemons = Daemons()
        super().setup()


switches = {'weft': WeftSwitch}

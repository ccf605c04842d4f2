"""An FTP server on loopback: `ftpd.py FOLDER MODE [PEM]`; prints its port. MODE: plain, slow, explicit, implicit."""

import sys
import warnings

warnings.simplefilter("ignore")

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer


class Explicit(TLS_FTPHandler):
    tls_control_required = True
    tls_data_required = True


class Implicit(TLS_FTPHandler):
    def handle(self):
        self.secure_connection(self.ssl_context)
        super().handle()

    def handle_ssl_established(self):
        # As a client finds it that has said `AUTH` and `PROT` already.
        self._prot = True


folder, mode = sys.argv[1:3]
handler = {"plain": FTPHandler, "slow": FTPHandler, "explicit": Explicit, "implicit": Implicit}[mode]
if mode == "slow":
    handler.dtp_handler = ThrottledDTPHandler
    ThrottledDTPHandler.read_limit = ThrottledDTPHandler.write_limit = 400_000
elif mode != "plain":
    handler.certfile = sys.argv[3]
authorizer = DummyAuthorizer()
authorizer.add_user("eva", "sentinel-7f3a9c", folder, perm="elr")
handler.authorizer = authorizer
server = FTPServer(("127.0.0.1", 0), handler)
print(server.address[1], flush=True)
server.serve_forever(timeout=0.2, handle_exit=False)

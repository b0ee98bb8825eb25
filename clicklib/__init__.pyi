# The one door: what `from clicklib import` gives, by the module that holds it.

from . import broker as broker
from . import clicks as clicks
from .client.cluster import Brokers as Brokers
from .client.cluster import Cluster as Cluster
from .client.groups import (
    Group as Group,
)
from .client.groups import (
    GroupMember as GroupMember,
)
from .client.groups import (
    Groups as Groups,
)
from .client.groups import (
    Progress as Progress,
)
from .client.layout import Copies as Copies
from .client.logs import LogRecord as LogRecord
from .client.logs import Logs as Logs
from .client.logs import PartitionLog as PartitionLog
from .client.topics import Topic as Topic
from .client.topics import TopicManager as TopicManager
from .codec import Bytes as Bytes
from .codec import Codec as Codec
from .codec import Int64 as Int64
from .codec import Json as Json
from .codec import String as String
from .context import Context as Context
from .emitter import Acknowledged as Acknowledged
from .emitter import Emitter as Emitter
from .emitter import EmitterStats as EmitterStats
from .engine.state import State as State
from .errors import (
    CallbackError as CallbackError,
)
from .errors import (
    ClicklibError as ClicklibError,
)
from .errors import (
    CodecError as CodecError,
)
from .errors import (
    DataError as DataError,
)
from .errors import (
    DeliveryError as DeliveryError,
)
from .errors import (
    InternalError as InternalError,
)
from .errors import (
    KafkaError as KafkaError,
)
from .errors import (
    LocalBrokerError as LocalBrokerError,
)
from .errors import (
    StoreError as StoreError,
)
from .errors import (
    TopicError as TopicError,
)
from .errors import (
    UnavailableError as UnavailableError,
)
from .errors import (
    UsageError as UsageError,
)
from .graph import (
    Graph as Graph,
)
from .graph import (
    Input as Input,
)
from .graph import (
    Persist as Persist,
)
from .graph import (
    define_group as define_group,
)
from .graph import (
    group_table as group_table,
)
from .keys import partition_of as partition_of
from .processor import Processor as Processor
from .processor import Stats as Stats
from .tester import Tester as Tester
from .view import View as View
from .view import ViewStats as ViewStats
from .web import Endpoint as Endpoint

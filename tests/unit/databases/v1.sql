BEGIN TRANSACTION;
CREATE TABLE confirmed (key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE event (
        number INTEGER PRIMARY KEY AUTOINCREMENT, -- rises with `at`
        key TEXT,
        at REAL NOT NULL,
        level TEXT NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        count INTEGER NOT NULL,
        first REAL NOT NULL
    );
INSERT INTO "event" VALUES(1,'File/default/motd',1.7956345972494084835e+09,'Normal','Adopted','content',1,1.7956345972494084835e+09);
INSERT INTO "event" VALUES(2,'File/default/motd',1.79563459724961614607e+09,'Normal','Converged','as declared',1,1.79563459724961614607e+09);
INSERT INTO "event" VALUES(3,'File/default/page',1.79563459724991083144e+09,'Normal','Created','as declared',1,1.79563459724991083144e+09);
INSERT INTO "event" VALUES(4,'File/default/page',1.7956345972499454021e+09,'Normal','Converged','as declared',1,1.7956345972499454021e+09);
INSERT INTO "event" VALUES(5,'File/default/notes',1.79563459724999403954e+09,'Normal','Created','as declared',1,1.79563459724999403954e+09);
INSERT INTO "event" VALUES(6,'File/default/notes',1.79563459725002336504e+09,'Normal','Converged','as declared',1,1.79563459725002336504e+09);
INSERT INTO "event" VALUES(7,'File/default/old',1.79563459725006723402e+09,'Normal','Created','as declared',1,1.79563459725006723402e+09);
INSERT INTO "event" VALUES(8,'File/default/old',1.79563459725009679792e+09,'Normal','Converged','as declared',1,1.79563459725009679792e+09);
INSERT INTO "event" VALUES(9,'File/default/paused',1.79563459725014543536e+09,'Normal','Created','as declared',1,1.79563459725014543536e+09);
INSERT INTO "event" VALUES(10,'File/default/paused',1.79563459725017452242e+09,'Normal','Converged','as declared',1,1.79563459725017452242e+09);
INSERT INTO "event" VALUES(11,'File/default/page',1.79563459728154921528e+09,'Normal','Updated','content',1,1.79563459728154921528e+09);
INSERT INTO "event" VALUES(12,'File/default/old',1.79563459729390811924e+09,'Warning','Retained','its last declaration says deletionPolicy: Retain; remove it with ''p2 delete''',1,1.79563459729390811924e+09);
CREATE TABLE hold (
        source TEXT NOT NULL,
        position INTEGER NOT NULL,
        reason TEXT NOT NULL,
        message TEXT NOT NULL,
        keys TEXT NOT NULL, -- one a line
        at REAL NOT NULL,
        PRIMARY KEY (source, position)
    ) WITHOUT ROWID
    ;
INSERT INTO "hold" VALUES('@ROOT@/state',0,'Retained','its last declaration says deletionPolicy: Retain; remove it with ''p2 delete''','File/default/old',0.0);
CREATE TABLE inventory (
        key TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        generation INTEGER NOT NULL,
        digest TEXT NOT NULL,
        handle TEXT NOT NULL,
        applied TEXT NOT NULL,
        file TEXT NOT NULL,
        dependencies TEXT NOT NULL, -- keys, one a line
        owner TEXT,
        intent TEXT,
        retain INTEGER NOT NULL,
        adopted INTEGER NOT NULL,
        kept TEXT NOT NULL
    );
INSERT INTO "inventory" VALUES('File/default/motd','@ROOT@/state',1,'b8246851e351ae910ac6cefc67fac2c5','file:@ROOT@/world/motd','{"apiVersion":"pegasus2.dev/v1","kind":"File","metadata":{"name":"motd"},"spec":{"adopt":true,"path":"@ROOT@/world/motd","content":"ours"}}','@ROOT@/state/motd.yaml','',NULL,NULL,0,1,'@KEPT@');
INSERT INTO "inventory" VALUES('File/default/notes','@ROOT@/state',1,'b571b422b5de79bcafc6cd433d6758b0','file:@ROOT@/world/notes','{"apiVersion":"pegasus2.dev/v1","kind":"File","metadata":{"name":"notes"},"spec":{"deletionPolicy":"Retain","path":"@ROOT@/world/notes","content":"my notes"}}','@ROOT@/state/site.yaml','',NULL,NULL,1,0,'');
INSERT INTO "inventory" VALUES('File/default/old','@ROOT@/state',1,'0fa53cdbe8bf50ff928272577acc6748','file:@ROOT@/world/old','{"apiVersion":"pegasus2.dev/v1","kind":"File","metadata":{"name":"old"},"spec":{"deletionPolicy":"Retain","path":"@ROOT@/world/old","content":"old"}}','@ROOT@/state/old.yaml','',NULL,NULL,1,0,'');
INSERT INTO "inventory" VALUES('File/default/paused','@ROOT@/state',1,'23beb9a1d5091c60e11df820bb047d47','file:@ROOT@/world/paused','{"apiVersion":"pegasus2.dev/v1","kind":"File","metadata":{"name":"paused"},"spec":{"path":"@ROOT@/world/paused","content":"as declared"}}','@ROOT@/state/paused.yaml','',NULL,NULL,0,0,'');
INSERT INTO "inventory" VALUES('File/default/page','@ROOT@/state',2,'7859eb1f00c69565178fbcdb8d4a9505','file:@ROOT@/world/page','{"apiVersion":"pegasus2.dev/v1","kind":"File","metadata":{"name":"page"},"spec":{"path":"@ROOT@/world/page","content":"hello again"}}','@ROOT@/state/site.yaml','',NULL,NULL,0,0,'');
CREATE TABLE status (key TEXT PRIMARY KEY, ready TEXT NOT NULL, body TEXT NOT NULL);
INSERT INTO "status" VALUES('File/default/motd','True','{"generation":1,"observedGeneration":1,"conditions":[["Ready","True","Converged","",1,1795634597.249359]],"drift":[],"digest":"b8246851e351ae910ac6cefc67fac2c5","handle":"file:@ROOT@/world/motd","at":1795634597.249359}');
INSERT INTO "status" VALUES('File/default/notes','True','{"generation":1,"observedGeneration":1,"conditions":[["Ready","True","Converged","",1,1795634597.2499866]],"drift":[],"digest":"b571b422b5de79bcafc6cd433d6758b0","handle":"file:@ROOT@/world/notes","at":1795634597.2499866}');
INSERT INTO "status" VALUES('File/default/paused','True','{"generation":1,"observedGeneration":1,"conditions":[["Ready","True","Converged","",1,1795634597.250139]],"drift":[],"digest":"23beb9a1d5091c60e11df820bb047d47","handle":"file:@ROOT@/world/paused","at":1795634597.250139}');
INSERT INTO "status" VALUES('File/default/page','True','{"generation":2,"observedGeneration":2,"conditions":[["Ready","True","Converged","",2,1795634597.2498953]],"drift":[],"digest":"7859eb1f00c69565178fbcdb8d4a9505","handle":"file:@ROOT@/world/page","at":1795634597.2815053}');
INSERT INTO "status" VALUES('File/default/old','True','{"generation":0,"observedGeneration":0,"conditions":[["Ready","True","Retained","its last declaration says deletionPolicy: Retain; remove it with ''p2 delete''",0,1795634597.250061]],"drift":[],"digest":"","handle":"file:@ROOT@/world/old","at":1795634597.2938805}');
CREATE TABLE suspended (key TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO "suspended" VALUES('File/default/paused');
CREATE INDEX event_by_key ON event (key, number);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('event',12);
COMMIT;
PRAGMA user_version = 1;

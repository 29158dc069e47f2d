"""Words of which the names of the linking benchmark are made, and what people make of them when they write a job."""

from __future__ import annotations

from benchmarks.trio_customers import last_names
from benchmarks.trio_vocabulary import separate

NICKNAMES = {
    pair.split(":")[0]: pair.split(":")[1].split(",")
    for pair in separate(
        """
        Robert:Bob,Rob,Bobby William:Bill,Will,Billy James:Jim,Jimmy John:Jack,Johnny Michael:Mike,Mick
        Richard:Rick,Dick,Rich Thomas:Tom,Tommy Charles:Charlie,Chuck Joseph:Joe,Joey Daniel:Dan,Danny
        Matthew:Matt Anthony:Tony Donald:Don Steven:Steve Andrew:Andy,Drew Kenneth:Ken Joshua:Josh
        Edward:Ed,Ted,Eddie Ronald:Ron Timothy:Tim Jeffrey:Jeff Gregory:Greg Benjamin:Ben Samuel:Sam
        Patrick:Pat Alexander:Alex Nicholas:Nick Jonathan:Jon Lawrence:Larry Christopher:Chris Peter:Pete
        Philip:Phil Frederick:Fred Raymond:Ray Gerald:Jerry Henry:Hank,Harry Leonard:Len Walter:Walt
        Elizabeth:Liz,Beth,Betty Jennifer:Jen,Jenny Margaret:Maggie,Peggy,Meg Katherine:Kate,Kathy,Katie
        Patricia:Pat,Patty,Trish Barbara:Barb Susan:Sue,Susie Deborah:Deb,Debbie Rebecca:Becky Kimberly:Kim
        Victoria:Vicky Christina:Tina,Chris Cynthia:Cindy Pamela:Pam Sandra:Sandy Theresa:Terry Judith:Judy
        Jacqueline:Jackie Catherine:Cathy,Kate Dorothy:Dot Abigail:Abby Amanda:Mandy Samantha:Sam Stephanie:Steph
        Francisco:Paco Guadalupe:Lupe Eduardo:Lalo Enrique:Kike Guillermo:Memo Manuel:Manny
        """
    )
}
FIRST_NAMES = [
    *NICKNAMES,
    *separate(
        """
        Aaron Adam Adrian Alan Albert Alice Amelia Amy Andrea Angela Anita Ann Anna Arthur Ashley Audrey Bernard
        Brandon Brenda Brian Bruce Carl Carlos Carmen Carol Caroline Chad Cheryl Claire Claudia Craig Crystal Dale
        Dana Danielle Darren David Dean Dennis Diana Diane Donna Doris Douglas Dylan Earl Edith Eleanor Elena Ellen
        Emily Emma Eric Erica Ernest Ethan Eugene Eva Evelyn Frances Frank Gabriel Gail Gary George Gina Glenn Gloria
        Gordon Grace Hannah Harold Heather Hector Helen Holly Howard Ian Irene Isaac Isabel Ivan Jacob Jane Janet
        Janice Jason Javier Jean Jeremy Jesse Jill Joan Joel Jordan Jorge Jose Joyce Juan Julia Julian Justin Karen
        Karl Kathleen Keith Kelly Kevin Kyle Laura Lauren Lee Leo Leon Linda Lisa Lois Lori Louis Lucas Lucy Luis Lynn
        Marcus Maria Marie Mario Marion Mark Martha Martin Marvin Mary Melissa Miguel Monica Nancy Naomi Natalie
        Nathan Neil Nicole Nina Norman Oliver Olivia Oscar Pablo Paul Paula Pedro Phyllis Rachel Ralph Ramon Randy
        Roger Rosa Rose Roy Russell Ruth Ryan Sara Scott Sean Sergio Sharon Sheila Sofia Stanley Stella Stuart Tara
        Tracy Travis Vanessa Vera Vernon Victor Vincent Wanda Warren Wayne Wendy Zoe José André René Sofía
        """
    ),
]
LAST_NAMES = [
    *separate(
        """
        Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson
        Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis
        Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera
        Campbell Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart
        Morris Morales Murphy Cook Rogers Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim
        Cox Ward Richardson Watson Brooks Chavez Wood James Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo
        Sanders Patel Myers Long Ross Foster Jimenez Powell Jenkins Perry Russell Sullivan Bell Coleman Butler
        Henderson Barnes Fisher Vasquez Simmons Romero Jordan Patterson Alexander Hamilton Graham Reynolds Griffin
        Wallace Moreno West Cole Hayes Bryant Herrera Gibson Ellis Tran Medina Stevens Murray Ford Castro Marshall
        Owens Harrison Fernandez McDonald Woods Kennedy Wells Vargas Henry Chen Freeman Webb Tucker Guzman Burns
        Crawford Olson Simpson Porter Hunter Gordon Mendez Silva Shaw Snyder Mason Dixon Muñoz Hunt Hicks Holmes
        Palmer Wagner Black Robertson Boyd Stone Salazar Fox Warren Mills Meyer Rice Schmidt Garza Daniels Ferguson
        Nichols Stephens Soto Weaver Ryan Gardner Payne Grant Dunn O'Brien O'Connor Núñez Peña Smith-Jones
        """
    ),
    *last_names(),
]
STRANGER_LAST_NAMES = separate(
    """
    Abernathy Castellano Dombrowski Eisenhart Galbraith Hollingsworth Ivanovich Jankowski Kirkpatrick Lindqvist
    Montgomery Nakamura Oyelaran Pemberton Quintero Rasmussen Schumacher Thistlewood Villanueva Xenakis Zielinski
    """
)
GENERATIONS = ("Jr", "Sr", "III")
FIRMS = separate(
    """
    Apartments|Bakery|Books|Brewing|Church|Dental Group|Diner|Family Trust|Fitness|Hotel|Holdings|Law Offices|
    Montessori School|Pharmacy|Properties|Realty|Senior Living|Storage|Veterinary Clinic|Vineyards|& Sons|Brothers|
    Heating & Cooling|Plumbing|Enterprises|Auto Body|Construction|Logistics|Dairy|Printing|Electric|Painting|Roofing|
    Landscaping|Pest Control
    """,
    "|",
)
LEGAL_FORMS = ("", "", " LLC", ", LLC", " Inc", ", Inc.", " Corp", " Ltd", " Co.", " L.L.C.", " S.A. de C.V.", " LLP")
JOB_TEXTS = (
    "{name} - HVAC Repair",
    "{name} HVAC repair",
    "{name} - AC tune-up",
    "{name} Plumbing job",
    "{name} – water heater install",
    "{name} (furnace tune-up 2023)",
    "Plumbing job: {name}",
    "HVAC Repair - {name}",
    "{name} - kitchen remodel, second visit",
    "{name} drain cleaning",
    "{name} | Annual maintenance",
    "{name} service call",
)
# Of these the loader knows no word or only some: they show what becomes of work that nobody thought of.
OTHER_JOB_TEXTS = (
    "{name} bathroom remodel",
    "{name} sprinkler repair",
    "{name} EV charger install",
    "{name} carpet cleaning",
    "{name} stucco patch",
    "{name} - radon mitigation",
    "{name} power wash",
    "{name} holiday lights",
    "{name} (mulch delivery)",
    "Awning motor {name}",
)

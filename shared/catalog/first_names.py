"""First names as people in the United States, Canada and Latin America are called, short forms included.

A word of this list is no misspelt other word (Erica is not Eric), and in front of "& Mary Smith" it makes a couple.
Names that are months are left out: "June visit" is about work.
"""

from __future__ import annotations

_NAMES = """
aaron abby abe abel abigail abraham ada adam adan addison adela adele adelina adrian adriana adrienne agnes agustin
aida aidan aileen aimee aisha al alain alan alana alanna albert alberta alberto alec alejandra alejandro alex alexa
alexander alexandra alexandre alexandria alexis alfonso alfred alfreda alfredo alice alicia alina alisa alisha
alison alissa allan allen allie allison alma alonso alonzo alvaro alvin alyssa amalia amanda amber amelia amelie
amina amir amos amparo amy ana anabel anastasia andre andrea andreas andres andrew andy angel angela angelica
angelina angelo angie anita ann anna anne annette annie annika anthony antoine anton antonia antonio araceli archie
ariana ariel arlene armando arnold arthur arturo asher ashlee ashley astrid aubrey audrey augusta augustin aurora
austin ava avery axel bailey barb barbara barry beatrice beatriz becca becky belen belinda bella ben benito benjamin
bennett bennie benny bernadette bernard bernardo bernice bernie bert bertha bertrand bessie beth bethany betsy betty
bev beverley beverly bianca bill billie billy blake blanca blanche bob bobbie bobby bonita bonnie boris brad bradley
brandi brandon brandy brenda brendan brennan brent brett brian briana brianna bridget brigitte britney brittany
brooke bruce bruno bryan bryce caitlin caleb calvin cameron camila camille candace candice cara carina carl carla
carlo carlos carlotta carlton carly carmen carol carole carolina caroline carolyn carrie carson casey cassandra
cassie catalina catherine cathy cecelia cecil cecile cecilia cedric celeste celia celina cesar chad chantal charlene
charles charlie charlotte chase chelsea cheryl chester chloe chris chrissy christa christian christie christina
christine christophe christopher christy chuck cindy claire clara clarence clarissa clark claude claudette claudia
claudine claudio clay clayton clemens clement clifford clifton clint clinton clive clyde cody cole colette colin
colleen connie connor conrad constance consuelo cora corey corinne cornelius cory courtney craig cristian cristina
cristobal crystal curt curtis cynthia cyril daisy dale dalia damian damon dan dana daniel daniela daniele daniella
danielle danny daphne darcy darius darla darlene darnell darrell darren darryl daryl dave david dawn dean deanna deb
debbie deborah debra deirdre delia della delores denis denise dennis denny derek derrick desiree desmond devin devon
dewey dexter diana diane dianna dianne dick diego dillon dimitri dina dirk dixie dolores dom domenic dominic
dominique don donald donna donnie dora doreen doris dorothea dorothy dot doug douglas drew duane dustin dwayne
dwight dylan earl earnest ed eddie edgar edith edmond edmund edna eduardo edward edwin edwina efrain eileen elaine
eleanor elena eli elias elijah elisa elisabeth elise eliza elizabeth ella ellen ellie elliot elliott elmer eloise
elsa elsie elvira elvis emanuel emil emile emilia emilio emily emma emmanuel enrique enzo eric erica erich erick
ericka erik erika erin ernest ernestina ernestine ernesto ernie ervin esmeralda esperanza esteban estela estelle
esther ethan ethel etienne eugene eugenia eugenio eunice eva evan evangeline eve evelyn everett ezra fabian fabio
faith fannie fatima faye federico felicia felicity felipe felix ferdinand fermin fernanda fernando fidel fiona flora
florence floyd frances francesca francis francisca francisco francois francoise frank frankie franklin franz fred
freda freddie frederic frederick frieda gabriel gabriela gabriella gabrielle gail garrett gary gavin gayle gene
genevieve geoff geoffrey george georges georgia georgina gerald geraldine gerard gerardo german gerry gertrude
gilbert gilberto gilda gilles gina ginger giovanni gisela gladys glen glenda glenn gloria gordon grace gracie
graciela graham grant greg gregg gregorio gregory greta gretchen griselda guadalupe guillermo gus gustavo guy gwen
gwendolyn hailey hal hank hanna hannah hans harold harriet harrison harry harvey hassan hattie hazel heather hector
heidi helen helena helene helga henri henrietta henry herbert heriberto herman hilary hilda hillary holly homer hope
horace howard hubert hugh hugo humberto hunter ian ida ignacio igor ilene ilse imelda imogen ina ines ingrid ira
irene irina iris irma irvin irving isaac isabel isabella isabelle isaiah isidro ismael israel ivan ivette ivonne ivy
jack jackie jackson jaclyn jacob jacqueline jacques jade jaime jake jamal james jamie jan jana jane janelle janet
janice janie janine jared jasmin jasmine jason javier jay jayne jean jeanette jeanne jeannie jeff jefferson jeffery
jeffrey jen jenna jennie jennifer jenny jens jerald jeremiah jeremy jermaine jerome jerry jesse jessica jessie jesus
jill jillian jim jimmie jimmy jo joan joann joanna joanne joaquin jocelyn jodi jody joe joel joey johan johann
johanna john johnathan johnnie johnny jon jonah jonas jonathan jordan jorge jose josef josefina joseph josephine
josh joshua josiah josie josue joy joyce juan juana juanita judith judy jules julia julian juliana julianne julie
julien juliet julieta julio julius justin justina justine kaitlyn karen kari karina karl karla kate katelyn
katharine katherine kathleen kathryn kathy katie katrina kay kayla kaylee keith kelley kelli kelly kelsey kelvin ken
kendall kendra kenneth kenny kent kenya kerry kevin kim kimberly kirk kirsten kit klaus kris krista kristen kristi
kristian kristin kristina kristine kristopher krystal kurt kyle kylie lacey lance lara larry lars latoya laura
laurel lauren laurence laurent laurie lawrence lea leah leandro leann lee leigh lena lenny leo leon leona leonard
leonardo leonor leroy leslie leticia levi lewis liam lidia lila lilia lilian liliana lillian lillie lily lina linda
lindsay lindsey lionel lisa lise liz liza lloyd logan lois lola lonnie lora loren lorena lorenzo loretta lori
lorraine lou louie louis louisa louise luc luca lucas lucia lucian luciana luciano lucie lucien lucille lucinda lucy
luigi luis luisa luke lupe luz lydia lyle lynda lynette lynn lynne mabel mack mackenzie madeleine madeline madison
mae magdalena maggie malcolm malik mallory mandy manny manuel manuela marc marcel marcela marcella marcelo marcia
marco marcos marcus margaret margarita margie margo marguerite maria mariah marian mariana marianne maribel marie
marilyn marina mario marion marisa marisol marissa maritza marjorie mark marla marlene marlon marsha marshall marta
martha martin martina marty marvin mary maryann mason mateo mathew mathieu matilda matt matteo matthew matthias
maude maura maureen maurice mauricio max maxine maxwell maya meagan meg megan meghan mel melanie melinda melissa
melody melvin mercedes meredith merle mia micah michael michaela micheal michel michele michelle miguel mike mikhail
mildred miles millie milton mindy minnie miranda miriam misty mitch mitchell mohamed mohammed moira moises molly
mona monica monika monique morgan morris moses muriel myles myra myrna myron myrtle nadia nadine nancy naomi natalia
natalie natasha nate nathan nathaniel neal ned neil nellie nelson nestor nicholas nick nicola nicolas nicole nigel
nikita nikki nina noah noe noel noelle noemi nora norah norbert noreen norma norman octavio odette olga olive oliver
olivia ollie omar opal ora orlando oscar osvaldo otis otto owen pablo paige pam pamela paola pascal pat patrice
patricia patrick patsy patti patty paul paula pauline paulo pearl pedro peggy penelope penny percy perla peter petra
phil philip philippe phillip phoebe phyllis pierre pilar polly preston priscilla quentin quincy rachel rae rafael
ralph ramiro ramon ramona randall randolph randy raphael raquel raul ray raymond rebecca rebekah regina reginald
rene renee reuben rex reyna rhonda ricardo richard rick rickey ricky rigoberto rita rob robbie robert roberta
roberto robin robyn rocio rod roderick rodney rodolfo rodrigo rogelio roger roland rolando roman romeo ron ronald
ronda ronnie rory rosa rosalie rosalind rosalinda rosalyn rosanna rosario rose roseann rosemarie rosemary rosie
rosita ross roxanne roy ruben ruby rudolf rudolph rudy rufus russ russell rusty ruth ryan sabina sabrina sadie sally
salvador salvatore sam samantha samir sammy samson samuel sandra sandy santiago santos sara sarah sasha saul
savannah scott sean sebastian selena selma serena serge sergio seth shane shanna shannon shari sharon shaun shawn
sheila shelby sheldon shelley shelly sheri sherman sherri sherry sheryl shirley sidney sierra silvia simon simona
simone skip skyler sofia sol solomon sonia sonja sonya sophia sophie spencer stacey stacy stan stanley stefan
stefanie stella stephan stephanie stephen sterling steve steven stewart stuart sue susan susana susanna susanne
susie suzanne suzette sven sybil sydney sylvester sylvia sylvie tabitha tamara tami tammy tanya tara tasha tatiana
taylor ted teddy terence teresa teri terrance terrell terrence terri terry tess tessa thea thelma theo theodora
theodore theresa therese thomas tiffany tim timmy timothy tina toby todd tom tomas tommy toni tony tonya tracey
traci tracy travis trent trevor tricia trina trish trisha tristan troy trudy tyler tyrone ulises ulrich ursula
valentin valentina valeria valerie van vanessa velma vera verna vernon veronica vicente vicki vicky victor victoria
vilma vince vincent viola violet virgil virginia vito vivian vladimir wade wallace wally walt walter wanda warren
wayne wendell wendy werner wes wesley wilbur wilfred will willa willard william willie willis wilma winifred winston
woody wyatt xavier ximena yesenia yolanda yvette yvonne zach zachary zack zoe zoey
"""

FIRST_NAMES = frozenset(_NAMES.split())
"""In normal form: lower case, no accents."""
